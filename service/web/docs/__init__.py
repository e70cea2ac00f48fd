"""Routes for integrators: the OpenAPI document, generated from the code, and the reference page made from it."""
