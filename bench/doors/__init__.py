"""What the HTTP doors cost, as clients see it: starts, streams, overload, pages."""
