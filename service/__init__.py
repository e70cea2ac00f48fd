"""magiclink: connect utility accounts, recorded once, for the right user."""

__version__ = "0.1.0"
