"""The utility that the provider's sandbox guide describes: its address, its credentials and its limits."""

from urllib.parse import urlsplit

# Reference: the provider's sandbox guide, for the credentials and the number of sites.
PROVIDER_URL = "https://nectarclimate.com"
PROVIDER_NAME = "Nectar Sandbox Utility"
USERNAME = "nectar-sandbox-username"
PASSWORD = "nectar-sandbox-password"  # noqa: S105 - published in the provider's guide
MFA_CODE = "123456"
SITES_MOST = 3


def is_sandbox_url(url: str) -> bool:
    """Tell whether it is the guide's provider address, with or without `www.` and a trailing slash."""
    parts = urlsplit(url)
    return parts.hostname in {"nectarclimate.com", "www.nectarclimate.com"} and parts.path in {"", "/"}
