"""Meadow: a customer's product that embeds magiclink and knows only its public face (HTTP API and embed.js)."""
