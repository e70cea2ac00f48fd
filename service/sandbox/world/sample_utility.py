"""The utility that the provider's sandbox guide describes: its address, its credentials and its limits."""

from urllib.parse import urlsplit

from service.sandbox.wire.enums import STATUSES

# Reference: the provider's sandbox guide, for the credentials and the number of sites.
PROVIDER_URL = "https://nectarclimate.com"
PROVIDER_NAME = "Nectar Sandbox Utility"
USERNAME = "nectar-sandbox-username"
PASSWORD = "nectar-sandbox-password"  # noqa: S105 - published in the provider's guide
STATUS_SIGN = "+"
"""What stands between the user name and the name of a status; not part of the provider's guide."""
MFA_CODE = "123456"
QUESTIONS = (("What was the name of your first pet?", "Biscuit"), ("In which street did you grow up?", "Honey Lane"))
"""The security questions, each with the answer that the sandbox's utility knows, in its exact spelling."""
SITES_MOST = 3


def is_sandbox_url(url: str) -> bool:
    """Tell whether it is the guide's provider address, with or without `www.` and a trailing slash."""
    parts = urlsplit(url)
    return parts.hostname in {"nectarclimate.com", "www.nectarclimate.com"} and parts.path in {"", "/"}


def is_right_pair(username: str, password: str) -> bool:
    """Tell whether these are the guide's credentials; the user name may name a status after a plus sign."""
    return username.partition(STATUS_SIGN)[0] == USERNAME and password == PASSWORD and _has_known_status(username)


def named_status(username: str) -> str | None:
    """Return the status that a user name asks for: `nectar-sandbox-username+website_down` is `WEBSITE_DOWN`."""
    return username.partition(STATUS_SIGN)[2].upper() or None


def _has_known_status(username: str) -> bool:
    # An unknown word is a wrong user name, as the guide says of every other pair.
    return username == USERNAME or named_status(username) in STATUSES
