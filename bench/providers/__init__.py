"""w10: what a call of a real model costs on this side of the wire: the provider's SDK, the library, ours."""
