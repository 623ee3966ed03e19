"""What a process tells about itself. Nothing in here decides anything."""
