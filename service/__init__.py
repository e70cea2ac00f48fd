"""magiclink: connect utility accounts, recorded once, for the right user."""

__version__ = "0.2.0"
