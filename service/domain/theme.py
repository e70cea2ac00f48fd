"""How a session's pages look: mode, accent, radius, and whose logo and name stand on them. Pure.

A *look* is a theme's mode, accent and radius as one word, `dark-0b6b5a-8`: it names the stylesheet that the pages load.
Each part may be empty. The host's element sends one too, with a fourth part: the color scheme of the host's page.
"""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

MOST_RADIUS = 24
# Reference: WCAG 2.2, 1.4.3 Contrast (Minimum), level AA.
LEAST_CONTRAST = 4.5
# The colour of the text on the accent in each scheme; it is also the background where the accent is the text's colour.
WHITE, DARK_CARD = "#ffffff", "#18201e"

_ACCENT = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_LOOK = re.compile(r"(auto|light|dark)?-([0-9a-f]{3}|[0-9a-f]{6})?-(\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What the host wants; None: our own. `accent` is `#rrggbb` in lower case."""

    mode: str | None = None
    accent: str | None = None
    radius: int | None = None
    logo_url: str | None = None
    name: str | None = None

    @property
    def look(self) -> str:
        """Return mode, accent and radius as one word."""
        radius = "" if self.radius is None else self.radius
        return f"{self.mode or ''}-{(self.accent or '')[1:]}-{radius}"

    def as_stored(self) -> dict[str, Any]:
        """Return the fields that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def hex_of(accent: str) -> str | None:
    """Return the colour as `#rrggbb` in lower case, or None for anything but `#rgb` and `#rrggbb`."""
    if not _ACCENT.fullmatch(accent):
        return None
    digits = accent[1:].lower()
    return f"#{digits}" if len(digits) == 6 else "#" + "".join(digit * 2 for digit in digits)


def theme_of_look(look: str) -> Theme | None:
    """Return the theme of this look, or None for anything else."""
    found = _LOOK.fullmatch(look.lower())
    if found is None:
        return None
    mode, accent, radius = found.groups()
    if radius is not None and int(radius) > MOST_RADIUS:
        return None
    return Theme(mode=mode, accent=hex_of(f"#{accent}"), radius=int(radius) if radius else None)


def with_own_look(theme: Theme, own: str) -> Theme:
    """Return the session's theme with what the host's element says; an own look that is not valid changes nothing.

    Its fourth part is the scheme of the host's page, which `auto` follows. It cannot set a name or a logo: markup that
    an attacker controls could make the page look like another company's.
    """
    look, _, scheme = own.rpartition("-")
    wanted = theme_of_look(look)
    if wanted is None or scheme not in {"", "light", "dark"}:
        return theme
    mode = wanted.mode or theme.mode or "auto"
    accent = wanted.accent or theme.accent
    radius = theme.radius if wanted.radius is None else wanted.radius
    return replace(theme, mode=(scheme or mode) if mode == "auto" else mode, accent=accent, radius=radius)


def accent_problem(theme: Theme) -> str | None:
    """Return why the accent cannot be read, with the measured contrast, or None.

    In `auto` it is for the light scheme, and the dark scheme gets a lighter shade of it: no colour passes on both.
    """
    if theme.accent is None:
        return None
    scheme, other = ("dark", DARK_CARD) if theme.mode == "dark" else ("light", WHITE)
    measured = contrast(theme.accent, other)
    if measured >= LEAST_CONTRAST:
        return None
    # Rounded down: 4.499 must not read as the 4.50 that is asked for.
    shown = int(measured * 100) / 100
    return (
        f"has a contrast of {shown:.2f}:1 to its text on {scheme} ({other}); at least {LEAST_CONTRAST}:1 is needed, so "
        f"choose a {'lighter' if scheme == 'dark' else 'darker'} one"
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21. Reference: WCAG 2.2, "contrast ratio"."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(color: str, other: str, share: float) -> str:
    """Return `color` with this share of `other` in it."""
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def readable(color: str, toward: str, grounds: tuple[str, ...]) -> str:
    """Return the colour with as much of `toward` as it needs to be read on each of these grounds."""
    shades = (mixed(color, toward, step / 40) for step in range(41))
    return next((one for one in shades if all(contrast(one, each) >= LEAST_CONTRAST for each in grounds)), toward)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    parts = [value / 255 for value in _channels(color)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
