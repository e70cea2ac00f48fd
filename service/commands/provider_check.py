"""What `doctor` checks at the provider: the key, the clock, the origin of its links, and items that cannot be read.

Nothing is created at the provider: only links that it lists already are compared.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic, time  # noqa: TID251 - commands pass the clocks on
from urllib.parse import urlsplit

import httpx

from service.commands.provider_probes import ABOUT, Finding, ProviderProbe
from service.commands.proxies import proxy_variable
from service.domain.model import ProviderSnapshot
from service.domain.reports import ReportedCompany
from service.errors import ProviderFailure, ProviderUnauthorized, ProviderUnreachable
from service.provider import CallLimits, Provider, UnreadableItem, account_of, cause_of
from service.settings import Settings
from service.urls import origin_of

_CLOCKS_APART_SECONDS = 60
_LIST_SECONDS = 60.0  # for all companies; no lease of a job limits it here
_MOST_COMPANIES = 20
_ALL_COMPANIES_SECONDS = 20.0
_MOST_SHOWN = 5


async def examine_provider(settings: Settings, http: httpx.AsyncClient, patience_seconds: float) -> list[Finding]:
    """Check that the provider answers and accepts the key, then read the lists of some of its companies."""
    unread: list[UnreadableItem] = []
    limits = CallLimits(
        monotonic=monotonic,
        call_seconds=patience_seconds,
        list_seconds=_LIST_SECONDS,
        unreadable=unread.append,
        report=lambda _line: None,  # the findings say it
    )
    account = account_of(settings)
    provider = Provider(http, account, limits)
    try:
        await provider.ping()
        companies = (await provider.companies()).companies
    except ProviderFailure as exc:
        bad = Finding("bad", "provider", _advice(exc, settings))
        probe = ProviderProbe(http, settings, account.keys, patience_seconds)
        keys = await probe.key_findings() if isinstance(exc, ProviderUnauthorized) else []
        says = "the provider's lists could not be read; repair that, and run doctor again"
        untested = [about for about in ("pages", *ABOUT) if about not in {finding.about for finding in keys}]
        return [bad, *keys, *(Finding("note", about, says, "not tested") for about in untested)]
    known = f"accepts the key, which sees {len(companies)} companies"
    snapshots, failures = await _snapshots(provider, companies)
    return [
        Finding("good", "provider", known),
        *_clock_findings(provider.provider_now, time),
        _pages_finding(settings.provider_pages_url, snapshots),
        *_unread_findings(unread, failures),
        *await ProviderProbe(http, settings, account.keys, patience_seconds).findings(
            companies[0].id if companies else None, [one for each in snapshots for one in each.connections]
        ),
    ]


async def _snapshots(
    provider: Provider, companies: Sequence[ReportedCompany]
) -> tuple[list[ProviderSnapshot], list[str]]:
    """Both lists of the first companies, within a bound of time; and why some could not be read."""
    snapshots: list[ProviderSnapshot] = []
    failures: list[str] = []
    try:
        async with asyncio.timeout(_ALL_COMPANIES_SECONDS):
            for company in companies[:_MOST_COMPANIES]:
                try:
                    snapshots.append(await provider.snapshot(company.id))
                except ProviderFailure as exc:
                    failures.append(f"company {company.id}: {exc.detail}")
    except TimeoutError:
        failures.append(f"only {len(snapshots)} companies could be read in {_ALL_COMPANIES_SECONDS:.0f} s")
    return snapshots, failures


def _pages_finding(pages_url: str, snapshots: Sequence[ProviderSnapshot]) -> Finding:
    origins = sorted({one.origin for snapshot in snapshots for one in snapshot.invitations if one.origin})
    if origin_of(pages_url) in origins:
        return Finding("good", "pages", f"links of the provider are on {pages_url}")
    if origins:
        says = (
            f"the provider's links are on {', '.join(origins[:_MOST_SHOWN])}, and MAGICLINK_PROVIDER_PAGES_URL is "
            f"{pages_url}: every session would fail with link_refused"
        )
        return Finding("bad", "pages", says)
    says = f"no invitation is listed whose link could be compared with MAGICLINK_PROVIDER_PAGES_URL, {pages_url}"
    return Finding("note", "pages", says, "unknown")


def _unread_findings(unread: Sequence[UnreadableItem], failures: Sequence[str]) -> list[Finding]:
    findings = [Finding("note", "lists", f"not read: {'; '.join(failures[:_MOST_SHOWN])}")] if failures else []
    if unread:
        counts = ", ".join(f"{kind}: {count}" for kind, count in sorted(Counter(one.kind for one in unread).items()))
        shown = "; ".join(map(str, unread[:_MOST_SHOWN]))
        says = f"the provider lists items that cannot be read whole ({counts}); connections may wait: {shown}"
        findings.append(Finding("note", "unreadable", says))
    return findings


def _clock_findings(provider_now: Callable[[], float | None], clock: Callable[[], float]) -> list[Finding]:
    provider_at = provider_now()
    apart = abs(clock() - provider_at) if provider_at is not None else 0.0
    if apart <= _CLOCKS_APART_SECONDS:
        return []
    says = (
        f"this machine and the provider are {apart:.0f} seconds apart; signed webhooks fail from 300 on: set the clock"
    )
    return [Finding("note", "clock", says)]


def _proxy_of(url: str) -> str | None:
    parts = urlsplit(url)
    return proxy_variable(parts.scheme, parts.hostname or "", os.environ)


def _advice(failure: ProviderFailure, settings: Settings) -> str:
    if isinstance(failure, ProviderUnauthorized):
        given = {
            "MAGICLINK_PROVIDER_API_KEYS": settings.provider_api_keys,
            "MAGICLINK_PROVIDER_API_KEY": settings.provider_api_key,
        }
        names = " and ".join(name for name, value in given.items() if value)
        return f"accepts no key of {names}; make one in its Settings > Organization > API Keys"
    if isinstance(failure, ProviderUnreachable):
        proxy = _proxy_of(settings.provider_url)
        unused = f"; {proxy} is set, but the service uses no proxy and needs a direct connection" if proxy else ""
        return f"{cause_of(failure)}; check MAGICLINK_PROVIDER_URL, this machine's network and its clock{unused}"
    return f"{cause_of(failure)}; is MAGICLINK_PROVIDER_URL right?"
