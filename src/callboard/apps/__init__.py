"""Doors: the ways in which people and programs come to a runtime."""
