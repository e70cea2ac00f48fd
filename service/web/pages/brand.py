"""A page's look and its user's masked label: the session's theme as templates use it, and who may frame the page."""

from dataclasses import dataclass

from service.domain.model import Session
from service.domain.theme import Theme, with_own_look


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """How a page looks and whose it is: `look` names its stylesheet; without a theme a page has no logo and no name.

    `session_look` is the look without what the host's element says.
    """

    look: str = ""
    session_look: str = ""
    name: str | None = None
    logo_url: str | None = None


PLAIN = Brand()
_PLAIN_LOOK = Theme().look


def brand_of(theme: Theme, own: str = "") -> Brand:
    """The theme as the templates use it, with the look that the host's element asks for."""
    shown = with_own_look(theme, own) if own else theme
    session_look, look = ("" if one.look == _PLAIN_LOOK else one.look for one in (theme, shown))
    return Brand(look=look, session_look=session_look, name=theme.name, logo_url=theme.logo_url)


def framers_of(session: Session) -> tuple[str, ...]:
    """Return the origins of the pages that may be around the session's; its script checks which is the nearest."""
    return (session.origin, *session.ancestors) if session.origin else ()


def masked(label: str) -> str:
    """Shorten a label so that only its user recognises it: `ada@example.com` becomes `a•••@example.com`.

    Anyone who has a page's URL sees this, so it must not show an address to which mail can be sent.
    """
    name, at, host = label.strip().rpartition("@")
    words = (name if at else host).split()
    return " ".join(f"{word[0]}•••" for word in words) + (f"@{host}" if at else "")
