"""Connections to databases and their health."""
