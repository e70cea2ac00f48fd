"""The stylesheet of a look: a session's mode, accent and radius as CSS custom properties, under an address of its own.

It is a file, so that the pages need no inline style and keep `style-src 'self'`. Its address consists of three values
of a fixed form, and holds nothing of a session.
"""

import re
from functools import lru_cache
from pathlib import Path

from service.domain.theme import DARK_CARD, WHITE, Theme, mixed, readable, theme_of_look
from service.web.cached import CachedAnswer

_PALETTE = re.compile(r":root \{(.*?)\}", re.DOTALL)
_PROPERTY = re.compile(r"(--[a-z-]+): ([^;]+);")
_FILE = re.compile(r"theme-([a-z0-9-]{2,20})\.css")
_MOST_SHEETS = 500  # sheets that are kept; a stranger may ask for any number of different ones
_BLACK = "#000000"


def _palettes() -> tuple[dict[str, str], dict[str, str]]:
    """Read what page.css has for the light and the dark scheme: a forced mode repeats one of them."""
    css = (Path(__file__).parents[1] / "static" / "page.css").read_text("utf-8")
    light, dark = (dict(_PROPERTY.findall(block)) for block in _PALETTE.findall(css)[:2])
    return light, dark


LIGHT, DARK = _palettes()


def sheet_of_file(name: str) -> CachedAnswer | None:
    """Return the answer for `theme-<look>.css`, or None for another name."""
    found = _FILE.fullmatch(name)
    theme = theme_of_look(found[1]) if found is not None else None
    return _answer(theme) if theme is not None else None


@lru_cache(_MOST_SHEETS)
def _answer(theme: Theme) -> CachedAnswer:
    return CachedAnswer(stylesheet(theme).encode(), "text/css")


def stylesheet(theme: Theme) -> str:
    """Return the rules that stand after page.css and change its custom properties."""
    shape = {} if theme.radius is None else {"--radius": f"{theme.radius}px"}
    light, dark = _shades(theme.accent, LIGHT, WHITE, _BLACK), _shades(theme.accent, DARK, DARK_CARD, WHITE)
    if theme.mode in {"light", "dark"}:
        palette = LIGHT | light if theme.mode == "light" else DARK | dark
        return _rule(palette | shape | {"color-scheme": theme.mode})
    return _rule(light | shape) + f"@media (prefers-color-scheme: dark) {{ {_rule(dark)} }}\n"


def _shades(accent: str | None, palette: dict[str, str], text: str, away: str) -> dict[str, str]:
    """Return the properties that follow from the accent; `text` is printed on it, `away` contrasts with the grounds."""
    if accent is None:
        return {}
    fill = readable(accent, away, (text,))
    soft = mixed(palette["--card"], fill, 0.1)
    link = readable(fill, away, (soft, palette["--card"], palette["--ground"]))
    return {
        "--accent": fill,
        "--accent-strong": mixed(fill, away, 0.2),
        "--on-accent": text,
        "--link": link,
        "--link-strong": mixed(link, away, 0.2),
        "--soft": soft,
    }


def _rule(properties: dict[str, str]) -> str:
    return f":root {{ {' '.join(f'{name}: {value};' for name, value in properties.items())} }}\n"
