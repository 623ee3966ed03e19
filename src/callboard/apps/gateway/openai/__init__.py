"""The doors that speak like OpenAI's API: every flow and agent is a model there."""
