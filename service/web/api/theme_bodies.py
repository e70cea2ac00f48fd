"""The part of a session's body that says how its pages look, and its checks."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from service.domain.theme import MOST_RADIUS, Theme, accent_problem, hex_of
from service.errors import Problem
from service.urls import allowed_url_problem
from service.web.request_body import PRINTABLE, Body

_MOST_NAME = 60


class ThemeBody(Body):
    """How the session's pages look; what is left out looks as ours does."""

    mode: Literal["light", "dark", "auto"] | None = Field(
        default=None, description="`auto`, the default, follows your page's color scheme, or the user's system."
    )
    accent: Annotated[str, StringConstraints(max_length=7)] | None = Field(
        default=None,
        description="The colour of buttons and links, as `#0b6b5a`. It needs a contrast of 4.5:1 to white, with `dark` "
        "to our dark cards; in `auto` the dark scheme gets a lighter shade of it.",
    )
    radius: int | None = Field(default=None, ge=0, le=MOST_RADIUS, description="Of corners, in pixels.")
    logo_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = Field(
        default=None,
        description="Your logo, https, of an origin in `MAGICLINK_ALLOWED_ORIGINS`; fetched without a referrer.",
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=_MOST_NAME, pattern=PRINTABLE)] | None = Field(
        default=None, description="Your product's name, beside the logo."
    )

    def to_theme(self) -> Theme:
        """Return the theme; call `problems` first."""
        accent = hex_of(self.accent) if self.accent is not None else None
        return Theme(mode=self.mode, accent=accent, radius=self.radius, logo_url=self.logo_url, name=self.name)

    def problems(self, allowed_origins: Sequence[str]) -> list[Problem]:
        """Return what only a calculation or the settings can decide."""
        found = []
        if self.accent is not None and hex_of(self.accent) is None:
            found.append(Problem("/theme/accent", "must be a colour written as #0b6b5a"))
        elif (wrong := accent_problem(self.to_theme())) is not None:
            found.append(Problem("/theme/accent", wrong))
        # From an allowed origin only: the picture's server sees who opens the page, and decides what the picture shows.
        if self.logo_url is not None and (wrong := allowed_url_problem(self.logo_url, allowed_origins)) is not None:
            found.append(Problem("/theme/logoUrl", wrong))
        return found
