"""The pages that end users open from a magic link or an invitation, and the connection wizard; no operator pages."""
