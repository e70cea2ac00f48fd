"""Stores which generation of paths the provider serves, and loads it in the next process."""

import logging

from service.errors import MagiclinkError
from service.provider import Provider
from service.settings import PathGeneration
from service.store import Store

_log = logging.getLogger(__name__)


async def load_paths(store: Store, provider: Provider, url: str) -> None:
    """Make calls to the API at `url` try the generation first that is stored for it, if any."""
    known = await store.provider_state.paths(url)
    if known is not None:
        provider.use_paths(known)


async def remember_paths(store: Store, url: str, generation: PathGeneration) -> None:
    """Write the generation that has answered 2xx. Raises nothing: the call that found it out goes on."""
    _log.info("the provider serves the %s paths", generation)
    try:
        await store.provider_state.set_paths(url, generation)
    except MagiclinkError:
        _log.warning("the generation of the provider's paths could not be written")
