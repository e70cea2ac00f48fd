"""The settings of the demo, given to it when it is created."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoSettings:
    """`service_url` is reached by this backend, `public_service_url` by the browser; both without a trailing slash."""

    service_url: str
    public_service_url: str
    api_key: str = field(repr=False)
    own_url: str
    secret: str = field(repr=False)
