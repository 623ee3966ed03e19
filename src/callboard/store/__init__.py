"""What survives a crash: small protocols, and an adapter for each database."""
