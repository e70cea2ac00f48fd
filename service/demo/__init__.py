"""Meadow, a demo of a customer's product: it uses magiclink's HTTP API and embed.js, and imports nothing of it."""
