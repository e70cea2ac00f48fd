"""A stand-in for the provider Nectar: its API, its hosted pages and its webhooks, reached over HTTP only."""
