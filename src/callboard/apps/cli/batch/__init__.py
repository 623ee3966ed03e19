"""A file of inputs through a flow, one run a line."""
