"""The provider's HTTP API for its customers' backends; the rules behind each operation are in `world`."""
