"""What `magiclink doctor` finds of a database; the provider is away."""

import httpx

from service.commands import admin
from service.commands.provider_probes import Finding
from service.settings import Settings


async def finding(about: str, url: str, *keys: str) -> Finding | None:
    """Return what it finds about one thing, with these secret keys; None where it says nothing of it."""
    known = {"public_url": "http://localhost:8000", "provider_api_key": "key", "provider_url": "http://provider.test"}
    settings = Settings(secret_keys=keys, database_url=url, **known)  # type: ignore[arg-type]
    answers = httpx.MockTransport(lambda _: httpx.Response(404, json={}))
    found = await admin.examine(settings, answers, patience_seconds=0.1)
    return next((one for one in found if one.about == about), None)
