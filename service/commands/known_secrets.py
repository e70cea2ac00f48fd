"""Finds every secret of an environment, so that what is logged or printed can be kept free of them.

It also reads values that the settings refuse, since a process may log an error before its settings are read.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from service.settings import SECRETS
from service.settings.values import entries, text_of_file

_OTHERS = ("SANDBOX_API_KEY", "SANDBOX_WEBHOOK_SECRET")


def secrets_in(environ: Mapping[str, str]) -> list[str]:
    """Return the service's and the sandbox's secrets, entry by entry."""
    ours = (secret for name in sorted(SECRETS) for text in _texts(environ, name) for secret in _secrets_of(text))
    return [*ours, *(environ[name] for name in _OTHERS if environ.get(name))]


def _texts(environ: Mapping[str, str], name: str) -> Iterator[str]:
    yield environ.get(f"MAGICLINK_{name}", "")
    try:
        yield text_of_file(environ[f"MAGICLINK_{name}_FILE"])
    except (KeyError, OSError, ValueError):
        return


def _secrets_of(text: str) -> list[str]:
    """The entries of a setting; of a database URL itself and its password, where it has one."""
    secrets = entries(text)
    # Up to the last "@": a password may hold one that should have been percent-encoded.
    for password in re.findall(r"://[^/:@\s]*:([^\s]+)@", text):
        secrets += [password, unquote(password)]
    return [one for one in secrets if "://" not in one or "@" in one]
