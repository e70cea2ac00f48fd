"""A stand-in for the provider Nectar, reached over HTTP only; the root has the wiring and the middleware."""
