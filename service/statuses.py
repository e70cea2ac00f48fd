"""What a connection's status means: one word for one meaning, whether it works, whose turn it is. Pure."""

# Reference: developer-guide/connection-lifecycle; the sandbox page spells one status in another way.
_SPELLINGS = {"INCORRECT_PASSWORD": "PASSWORD_INCORRECT"}
_WORKING = frozenset({"CONNECTED", "NO_ACCOUNTS_FOUND"})
_NEEDS_USER = frozenset(
    {"PASSWORD_INCORRECT", "MFA_TOKEN_EXPIRED", "NEW_PASSWORD_NEEDED", "ADDITIONAL_CREDENTIALS_NEEDED"}
)


def canonical_status(status: str) -> str:
    """One word for one meaning; a status we do not know stays as it is and counts as an error."""
    return _SPELLINGS.get(status, status)


def credentials_work(status: str) -> bool:
    """Whether the provider has signed in with what the user gave."""
    return status in _WORKING


def needs_attention(status: str) -> bool:
    """Whether only the end user can mend it, through a reconnect."""
    return canonical_status(status) in _NEEDS_USER
