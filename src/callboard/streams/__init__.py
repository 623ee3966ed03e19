"""Live token deltas and progress on their way to a reader."""
