"""A shop with sixteen tools: the outside system that agents work on, and the agents that work on it."""
