"""What the provider's connection statuses mean: the spelling that the API uses, and the state of a connection. Pure."""

from enum import StrEnum


class ConnectionState(StrEnum):
    """The `state` of a connection: what its status means for its user and for the host."""

    CHECKING = "checking"
    DELAYED = "delayed"
    WORKING = "working"
    EMPTY = "empty"
    ACTION_NEEDED = "action_needed"
    INACTIVE = "inactive"


# Reference: developer-guide/connection-lifecycle. The sandbox guide spells this status in another way than the enum.
_SPELLINGS = {"INCORRECT_PASSWORD": "PASSWORD_INCORRECT"}
# Stands for a status that is missing or cannot be read. Like every unknown status it means `delayed`.
UNKNOWN_STATUS = "UNKNOWN"
REMOVED_STATUS = "REMOVED"  # ours: the provider no longer has the connection
_STATES = {
    "PENDING": ConnectionState.CHECKING,
    "CONNECTED": ConnectionState.WORKING,
    "NO_ACCOUNTS_FOUND": ConnectionState.EMPTY,
    "PASSWORD_INCORRECT": ConnectionState.ACTION_NEEDED,
    "MFA_TOKEN_EXPIRED": ConnectionState.ACTION_NEEDED,
    "NEW_PASSWORD_NEEDED": ConnectionState.ACTION_NEEDED,
    "ADDITIONAL_CREDENTIALS_NEEDED": ConnectionState.ACTION_NEEDED,
    "COMPANY_INACTIVE": ConnectionState.INACTIVE,
}
_FOR_THE_USER = frozenset({ConnectionState.ACTION_NEEDED, ConnectionState.EMPTY})


def canonical_status(status: str) -> str:
    """The one spelling that the API uses; an unknown status stays as it is."""
    return _SPELLINGS.get(status, status)


def state_of(status: str) -> ConnectionState:
    """What a status means. All others, unknown ones too, are trouble that the provider works on: `delayed`."""
    return _STATES.get(canonical_status(status), ConnectionState.DELAYED)


def needs_attention(state: ConnectionState) -> bool:
    """Whether only the end user can mend it, by reconnecting."""
    return state in _FOR_THE_USER


def has_stopped(state: ConnectionState) -> bool:
    """Whether no bills follow until somebody acts: its user has to mend it, or it is inactive."""
    return needs_attention(state) or state is ConnectionState.INACTIVE
