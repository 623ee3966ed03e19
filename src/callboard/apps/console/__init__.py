"""The console: pages in which people watch, understand and steer runs."""
