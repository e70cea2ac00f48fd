"""Routes and responses for end users: the embeddable page, the redirect flow, the callback and the live stream."""
