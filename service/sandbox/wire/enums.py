"""The provider's enumerated values: connection statuses and utility types. Reference: its OpenAPI."""

CONNECTED = "CONNECTED"
PENDING = "PENDING"
URL_INACCESSIBLE = "URL_INACCESSIBLE"
MFA_TOKEN_EXPIRED = "MFA_TOKEN_EXPIRED"  # noqa: S105 - a status
ADDITIONAL_CREDENTIALS_NEEDED = "ADDITIONAL_CREDENTIALS_NEEDED"
COMPANY_INACTIVE = "COMPANY_INACTIVE"
# Reference: the sandbox guide has the first spelling, the OpenAPI enum the second.
WRONG_PASSWORD_STATUSES = ("INCORRECT_PASSWORD", "PASSWORD_INCORRECT")
STATUSES = (
    PENDING,
    "UNDER_INVESTIGATION",
    CONNECTED,
    MFA_TOKEN_EXPIRED,
    "PASSWORD_INCORRECT",
    "NEW_PASSWORD_NEEDED",
    ADDITIONAL_CREDENTIALS_NEEDED,
    "WEBSITE_DOWN",
    "NO_ACCOUNTS_FOUND",
    "OTHER_ERROR",
    COMPANY_INACTIVE,
    URL_INACCESSIBLE,
    "INCORRECT_PASSWORD",
)
UTILITY_TYPES = ("ELECTRICITY", "GAS", "WATER", "DISTRICT", "WASTE", "FUEL", "MISC", "REFRIGERANT", "SOLAR", "TELECOM")
# Reference: the sandbox guide, for the types that have sample data.
SAMPLE_TYPES = ("ELECTRICITY", "GAS", "WATER", "SOLAR", "FUEL")


def is_wrong_password(status: str) -> bool:
    """Tell whether it is one of the two spellings: the guide and the enum of the provider differ."""
    return status in WRONG_PASSWORD_STATUSES


def status_detail(status: str) -> str | None:
    """Return a sentence for a status that somebody has to act on."""
    return None if status in {CONNECTED, PENDING} else status.replace("_", " ").capitalize() + "."
