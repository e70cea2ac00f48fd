"""What pages say about accounts: the words for their statuses, the account to mend, hints for their utilities."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

# Before Python 3.12 pydantic cannot read `typing.TypedDict`.
from typing_extensions import TypedDict

from service.domain.model import Connection
from service.domain.page_view import PageSnapshot
from service.domain.status_words import StatusWords, words_for
from service.domain.statuses import needs_attention
from service.settings.utility_hints import UtilityHint, UtilityHints
from service.urls import origin_of
from service.web.languages import Language

_MOST_SITES = 3


@dataclass(frozen=True, slots=True)
class AccountView:
    """The account that a reconnect session is for; `place` is the host of its sign-in page and its sites."""

    name: str
    place: str
    words: StatusWords


class AccountJson(TypedDict):
    """The account that a reconnect session is for."""

    name: Annotated[str, Field(description="The utility's name, or the host of its sign-in page.")]
    place: Annotated[str, Field(description="The host of its sign-in page and its sites, for people.")]
    words: Annotated[str, Field(description="Of which status the page shows the words.")]


class HintJson(TypedDict):
    """What a utility needs."""

    utility: str
    needed: str


def words_of(connection: Connection) -> StatusWords:
    """The words for a connection as it is now."""
    return words_for(connection.reported.status, connection.state)


def account_of(snapshot: PageSnapshot, language: Language) -> AccountView | None:
    """The account that the session mends, if it mends one; what its utility does not name is said in this language."""
    if snapshot.mends is None:
        return None
    connection, sites = snapshot.mends.connection, snapshot.mends.sites
    host = _host_of(connection.reported.provider_url)
    name = connection.reported.provider_name or host or language.say("Utility account")
    places = [
        *([host] if host and host != name else []),
        *sites[:_MOST_SITES],
        *_more(len(sites) - _MOST_SITES, language),
    ]
    return AccountView(name, ", ".join(places), words_of(connection))


def account_json(snapshot: PageSnapshot, language: Language) -> AccountJson | None:
    """The same for the page's script."""
    account = account_of(snapshot, language)
    if account is None:
        return None
    return {"name": account.name, "place": account.place, "words": account.words.status}


def hints_for(snapshot: PageSnapshot, hints: UtilityHints) -> tuple[UtilityHint, ...]:
    """The hints that help now: of the utility whose sign-in is ahead, and of each whose sign-in has failed."""
    failed = [one for one in snapshot.connections if needs_attention(one.state)]
    urls = [one.reported.provider_url for one in failed]
    if snapshot.mends is not None:
        urls.append(snapshot.mends.connection.reported.provider_url)
    if not snapshot.session.achieved:
        urls.append(_text(snapshot.session.prefill.get("url")))
    found = {hint.host: hint for url in urls if (hint := hints.for_url(url)) is not None}
    return tuple(found.values())


def hints_json(snapshot: PageSnapshot, hints: UtilityHints, language: Language) -> list[HintJson]:
    """The same for the page's script. A hint of the operator's own has no other language than its own."""
    return [{"utility": one.utility, "needed": language.say(one.needed or "")} for one in hints_for(snapshot, hints)]


def _more(count: int, language: Language) -> list[str]:
    if count <= 0:
        return []
    return [language.say("1 more") if count == 1 else language.say("%(count)s more", count=count)]


def _host_of(url: str | None) -> str:
    origin = origin_of(url) if url else None
    return origin.partition("://")[2].removeprefix("www.") if origin else ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
