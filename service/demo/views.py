"""The contexts of the demo's templates, and the words for the service's answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from service.demo.chart import UsageChart, tonnes, usage_charts
from service.demo.client import Json
from service.demo.people import DemoCompany, DemoPerson

WAITING_SECONDS = 2
SETTLED_SECONDS = 10

# The service says what a status means, in words for end users. A product of your own may have words of its own.
TONES = {"working": "good", "checking": "waiting", "delayed": "waiting"}
ASKING = {"action_needed", "empty", "inactive"}
NOT_HERE = {"upload"}  # this demo takes no bills
PLAIN_WORDS: Json = {"label": "Needs a look", "sentence": "There is a problem with this account.", "steps": []}


@dataclass(frozen=True)
class UtilityAccount:
    """One connected utility account as the customer sees it."""

    id: str
    name: str
    status: str
    tone: str
    detail: str
    sites: str
    since: str
    needs_attention: bool
    title: str
    steps: Sequence[str]


@dataclass(frozen=True)
class UtilitiesView:
    """The part of the home page that its script refreshes."""

    accounts: Sequence[UtilityAccount]
    charts: Sequence[UsageChart]
    carbon: str | None
    error: str | None
    waiting: bool
    refresh_seconds: int


@dataclass(frozen=True)
class DemoSignInPage:
    """The sign-in page."""

    people: Sequence[DemoPerson]
    notice: str | None
    person: DemoPerson | None = None


@dataclass(frozen=True)
class DemoHomePage:
    """The home page of a signed-in person."""

    person: DemoPerson
    utilities: UtilitiesView
    script_url: str
    notice: str | None


@dataclass(frozen=True)
class DemoDonePage:
    """The page after a redirect, with its result."""

    person: DemoPerson
    tone: str
    heading: str
    message: str
    status_url: str = ""
    status_script_url: str = ""


@dataclass(frozen=True)
class DemoErrorPage:
    """An error page."""

    heading: str
    message: str
    person: DemoPerson | None


def utilities(
    connections: Sequence[Json], usage: Sequence[Json], company: DemoCompany, error: str | None = None
) -> UtilitiesView:
    accounts = [_account(connection, company) for connection in connections]
    charts = usage_charts(usage)
    # A broken account brings no bills, so there is nothing to wait for.
    waiting = not charts and any(account.tone != "bad" for account in accounts)
    return UtilitiesView(
        accounts=accounts,
        charts=charts,
        carbon=tonnes(charts),
        error=error,
        waiting=waiting,
        refresh_seconds=SETTLED_SECONDS if charts else WAITING_SECONDS,
    )


def done(person: DemoPerson, result: Json) -> DemoDonePage:
    """Return the page for a result; the caller has verified it."""
    status = str(result.get("status"))
    # The account may need its user in every status of the session, also after it was connected.
    if result.get("connectionState") in ASKING:
        return DemoDonePage(
            person, "bad", "Your utility account needs attention", "Your home page says what helps with it."
        )
    if status == "connected":
        return DemoDonePage(
            person, "good", "Your utility account is connected", "Its bills will appear in a few moments."
        )
    if status == "submitted":
        message = "The account is being checked, usually within hours, up to two days. You need not wait."
        return DemoDonePage(person, "waiting", "Your utility account has been handed over", message)
    if status in {"created", "opened"}:
        message = "It is not confirmed yet. We will show it here as soon as it is."
        return DemoDonePage(person, "waiting", "We are waiting for your account", message)
    if status == "exited":
        return DemoDonePage(
            person, "waiting", "You left before it was finished", "Nothing was connected. Come back any time."
        )
    return DemoDonePage(person, "bad", "Nothing was connected", "That attempt has ended. You can start again at once.")


def _account(connection: Json, company: DemoCompany) -> UtilityAccount:
    words = connection.get("words") or PLAIN_WORDS
    provider = connection.get("provider") or {}
    return UtilityAccount(
        id=str(connection.get("id")),
        name=_provider_name(provider),
        status=str(words.get("label")),
        tone=TONES.get(str(connection.get("state")), "bad"),
        detail=str(words.get("sentence")),
        sites=_site_names(connection.get("sites") or [], company),
        since=_day(connection.get("createdAt") or connection.get("recordedAt")),
        needs_attention=bool(connection.get("needsAttention")),
        title=str(words.get("title") or ""),
        steps=[str(step.get("text")) for step in words.get("steps") or [] if step.get("place") not in NOT_HERE],
    )


def _provider_name(provider: Json) -> str:
    url = str(provider.get("url") or "").removeprefix("https://").removeprefix("http://").rstrip("/")
    return str(provider.get("name") or url or "Utility account")


def _site_names(sites: Sequence[Json | str], company: DemoCompany) -> str:
    """Return the sites' names where the service has the demo's ids of all of them; else their number."""
    known = {site.external_id: site.name for site in company.sites}
    found = [known.get(str(site.get("externalId"))) if isinstance(site, dict) else None for site in sites]
    names = [name for name in found if name]
    if names and len(names) == len(sites):
        return ", ".join(names)
    return f"{len(sites)} building{'' if len(sites) == 1 else 's'}" if sites else ""


def _day(moment: object) -> str:
    try:
        day = date.fromisoformat(str(moment)[:10])
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"
