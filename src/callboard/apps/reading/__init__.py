"""Reads journals: which effects a run had, how they nest, and why it failed. Pure; for every door that shows runs."""
