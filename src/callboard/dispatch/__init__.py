"""How workers hear that there is something to do: hints, never the truth."""
