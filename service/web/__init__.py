"""HTTP entry points, a folder per audience: `api` host backends, `pages` end users, `docs` integrators.

Beside them stand the provider's webhooks and the routes for operators. Handlers validate, call one use case and render;
they never touch the store, the provider or the signing.
"""
