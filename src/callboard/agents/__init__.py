"""What authors write with: apps, agents, journaled tools."""
