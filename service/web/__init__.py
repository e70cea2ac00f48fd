"""HTTP entry points, a folder per audience: `api` host backends, `pages` end users, `docs` integrators.

`webhooks` serves the provider and `health` operators. Handlers validate, call use cases and render; they never call the
store, the provider or the signing.
"""
