"""What all provider adapters share. No file in here names a provider."""
