"""The sandbox's state and the rules that change it; no HTTP, and no sample data, which is in `bills`."""
