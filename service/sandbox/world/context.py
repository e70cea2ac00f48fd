"""What every component of the world uses."""

from dataclasses import dataclass

from service.sandbox.settings import SandboxSettings
from service.sandbox.world.clock import SandboxClock
from service.sandbox.world.ids import SandboxIds
from service.sandbox.world.rows import SandboxDatabase
from service.sandbox.world.troubles import SandboxTroubles


@dataclass(frozen=True)
class SandboxContext:
    """The settings, storage, time, identifiers and troubles that the components share."""

    settings: SandboxSettings
    database: SandboxDatabase
    clock: SandboxClock
    ids: SandboxIds
    troubles: SandboxTroubles
