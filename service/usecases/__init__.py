"""The verbs of the product, a file per subject: each method is what a host, a user, the provider or time does.

Use cases combine the adapters (store, provider, signing) with decisions of the domain. They know no HTTP: entry points
call them, and nothing here imports `web`, `commands` or the worker.
"""
