"""The API's description for machines (OpenAPI), and the reference page made from it."""
