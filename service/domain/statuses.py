"""What the provider's connection statuses mean: which spelling is used, whether it works, who must act. Pure."""

# Reference: developer-guide/connection-lifecycle. The sandbox guide spells this status in another way than the enum.
_SPELLINGS = {"INCORRECT_PASSWORD": "PASSWORD_INCORRECT"}
# Where the provider reports no status that can be read: like every unknown one, neither working nor the user's to mend.
UNKNOWN_STATUS = "UNKNOWN"
_WORKING = frozenset({"CONNECTED", "NO_ACCOUNTS_FOUND"})
_NEEDS_USER = frozenset(
    {"PASSWORD_INCORRECT", "MFA_TOKEN_EXPIRED", "NEW_PASSWORD_NEEDED", "ADDITIONAL_CREDENTIALS_NEEDED"}
)


def canonical_status(status: str) -> str:
    """The one spelling that the API uses; an unknown status stays as it is."""
    return _SPELLINGS.get(status, status)


def credentials_work(status: str) -> bool:
    """Whether the provider could sign in with what the user gave."""
    return status in _WORKING


def needs_attention(status: str) -> bool:
    """Whether only the end user can mend it, by reconnecting."""
    return canonical_status(status) in _NEEDS_USER
