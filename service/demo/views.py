"""What the pages show: one typed context for each template, and how the service's answers become words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from service.demo.chart import Chart, draw, tonnes
from service.demo.client import Json
from service.demo.people import Company, Person

WAITING_SECONDS = 2
SETTLED_SECONDS = 10

STATUSES = {
    "CONNECTED": ("Connected", "good", "Bills arrive by themselves."),
    "PENDING": ("Being checked", "waiting", "The utility is looking at the sign-in."),
    "UNDER_INVESTIGATION": ("Being checked", "waiting", "Somebody is looking into this account."),
    "PASSWORD_INCORRECT": ("Sign-in refused", "bad", "The user name or password was not accepted."),
    "NEW_PASSWORD_NEEDED": ("New password needed", "bad", "The utility asks for a new password."),
    "MFA_TOKEN_EXPIRED": ("Sign in again", "bad", "The utility wants to see a fresh security code."),
    "ADDITIONAL_CREDENTIALS_NEEDED": ("More details needed", "bad", "The utility asks for something more."),
    "NO_ACCOUNTS_FOUND": ("No accounts found", "bad", "There is nothing to bill under this sign-in."),
    "WEBSITE_DOWN": ("Utility offline", "waiting", "The utility's site is down; we keep trying."),
    "REMOVED": ("Removed", "bad", "The utility does not know this connection any more."),
    "URL_INACCESSIBLE": ("Address unreachable", "bad", "The utility's address does not answer."),
}


@dataclass(frozen=True)
class Account:
    """One connected utility account as the customer sees it."""

    id: str
    name: str
    status: str
    tone: str
    detail: str
    sites: str
    since: str
    needs_attention: bool


@dataclass(frozen=True)
class Utilities:
    """The part of the page that refreshes by itself."""

    accounts: Sequence[Account]
    charts: Sequence[Chart]
    carbon: str | None
    trouble: str | None
    waiting: bool
    refresh_seconds: int


@dataclass(frozen=True)
class SignInPage:
    """Who are you?"""

    people: Sequence[Person]
    notice: str | None
    person: Person | None = None


@dataclass(frozen=True)
class HomePage:
    """The signed-in person's utilities."""

    person: Person
    utilities: Utilities
    script_url: str
    notice: str | None


@dataclass(frozen=True)
class DonePage:
    """What came of a redirect."""

    person: Person
    tone: str
    heading: str
    message: str


@dataclass(frozen=True)
class TroublePage:
    """Something did not work, and where to go."""

    heading: str
    message: str
    person: Person | None


def utilities(
    connections: Sequence[Json], usage: Sequence[Json], company: Company, trouble: str | None = None
) -> Utilities:
    accounts = [_account(connection, company) for connection in connections]
    charts = draw(usage)
    waiting = not charts and any(account.tone != "bad" for account in accounts)
    return Utilities(
        accounts=accounts,
        charts=charts,
        carbon=tonnes(charts),
        trouble=trouble,
        waiting=waiting,
        refresh_seconds=SETTLED_SECONDS if charts else WAITING_SECONDS,
    )


def done(person: Person, result: Json) -> DonePage:
    """Speaks of a verified result only."""
    status = str(result.get("status"))
    if status == "connected":
        return DonePage(person, "good", "Your utility account is connected", "Its bills will appear in a few moments.")
    if status in {"created", "opened"}:
        message = "The utility has not confirmed it yet. We will show it here as soon as it does."
        return DonePage(person, "waiting", "We are waiting for the utility", message)
    if status == "exited":
        return DonePage(
            person, "waiting", "You left before it was finished", "Nothing was connected. Come back any time."
        )
    return DonePage(person, "bad", "Nothing was connected", "That attempt has ended. You can start again at once.")


def _account(connection: Json, company: Company) -> Account:
    code = str(connection.get("status") or "")
    needs_attention = bool(connection.get("needsAttention"))
    otherwise = ("Needs a look", "bad", "The utility reports a problem with this account.")
    status, tone, detail = STATUSES.get(code, otherwise)
    provider = connection.get("provider") or {}
    return Account(
        id=str(connection.get("id")),
        name=_provider_name(provider),
        status=status,
        tone="bad" if needs_attention else tone,
        detail=detail,
        sites=_site_names(connection.get("sites") or [], company),
        since=_day(connection.get("createdAt") or connection.get("recordedAt")),
        needs_attention=needs_attention,
    )


def _provider_name(provider: Json) -> str:
    url = str(provider.get("url") or "").removeprefix("https://").removeprefix("http://").rstrip("/")
    return str(provider.get("name") or url or "Utility account")


def _site_names(sites: Sequence[Json | str], company: Company) -> str:
    """By our own names where the service tells our ids; else how many."""
    known = {site.external_id: site.name for site in company.sites}
    ours = [known.get(str(site.get("externalId"))) if isinstance(site, dict) else None for site in sites]
    names = [name for name in ours if name]
    if names and len(names) == len(sites):
        return ", ".join(names)
    return f"{len(sites)} building{'' if len(sites) == 1 else 's'}" if sites else ""


def _day(moment: object) -> str:
    try:
        day = date.fromisoformat(str(moment)[:10])
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"
