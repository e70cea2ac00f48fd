"""When the caller of a request that lasts long has left."""

from starlette.types import Receive


async def disconnected(receive: Receive) -> None:
    """Wait until the connection of a request is over. What is still sent in its body is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
