"""The words: ids, run, event, message, usage, verdict, errors. Standard library and msgspec only."""
