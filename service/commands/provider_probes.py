"""What `doctor` checks by single calls: the provider's paths and methods, its keys, the headers of its pages.

Nothing is created: creating calls are made only for an id that does not exist.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from service.domain.model import ProviderCompanyId, ReportedConnection
from service.domain.statuses import canonical_status
from service.settings import Settings
from service.urls import origin_of

Level = Literal["good", "note", "bad"]
Tested = Literal["tested", "not tested", "unknown"]

# No provider gives out this id, so a creating call about it can create nothing.
_NO_ID = "00000000-0000-4000-8000-000000000000"
_NO_LINK = "/p/i/magiclink-doctor-no-such-link"
_WRONG_PASSWORD = "PASSWORD_INCORRECT"  # noqa: S105 - a status
_REFUSED = frozenset({401, 403})
ABOUT = ("key", "paths", "method", "invitations", "framing", "wrong password", "white label")


@dataclass(frozen=True)
class Finding:
    """One finding: `bad` stops the deployment from working, `note` limits what it can do or asks for a check.

    `tested`: whether a call or a query of the database showed it; `unknown` where the answer leaves it open.
    """

    level: Level
    about: str
    says: str
    tested: Tested = "tested"


@dataclass(frozen=True)
class ProviderProbe:
    """Single calls without retries; a status is None where the provider did not answer."""

    http: httpx.AsyncClient
    settings: Settings
    keys: tuple[str, ...]
    patience_seconds: float

    async def findings(
        self, company_id: ProviderCompanyId | None, connections: Sequence[ReportedConnection]
    ) -> list[Finding]:
        """Return a finding for each of `ABOUT`; `company_id` is any company that the key may see."""
        return [
            *await self.key_findings(),
            await self._paths(company_id),
            await self._method(),
            await self._invitations(company_id),
            await self._framing(),
            _wrong_password(connections),
            _white_label(),
        ]

    async def _status(self, method: str, path: str, key: str | None = None) -> int | None:
        try:
            answer = await self.http.request(
                method,
                self.settings.provider_url + path,
                headers={"X-API-Key": key or self.keys[0], "Accept": "application/json"},
                json={} if method == "POST" else None,
                timeout=self.patience_seconds,
                follow_redirects=False,  # a redirect to another host would take the API key there
            )
        except httpx.HTTPError:
            return None
        return answer.status_code

    async def _accepted_status(self, method: str, path: str) -> int | None:
        """The status with the first key that is accepted for this; the last one's where none is."""
        status = None
        for key in self.keys:
            status = await self._status(method, path, key)
            if status not in _REFUSED:
                break
        return status

    async def key_findings(self) -> list[Finding]:
        """Return a finding for each key: whether the provider accepts it."""
        findings = []
        for number, key in enumerate(self.keys, 1):
            status = await self._status("GET", "/ping", key)
            which = f"key {number} of {len(self.keys)}"
            if status is not None and 200 <= status < 300:
                findings.append(Finding("good", "key", f"{which} is accepted"))
            elif status in _REFUSED:
                says = f"{which} is refused; remove it, or make a new one in Settings > Organization > API Keys"
                findings.append(Finding("note", "key", says))
            else:
                findings.append(Finding("note", "key", f"{which}: {_described(status)}; run doctor again", "unknown"))
        return findings

    async def _paths(self, company_id: ProviderCompanyId | None) -> Finding:
        if company_id is None:
            says = "there is no company to list; with MAGICLINK_PROVIDER_PATHS=auto the first call finds out"
            return Finding("note", "paths", says, "not tested")
        served = {
            "company": await self._accepted_status("GET", f"/company/{company_id}/connection?limit=1"),
            "reference": await self._accepted_status("GET", f"/connection/company/{company_id}?limit=1"),
        }
        good = [name for name, status in served.items() if status is not None and 200 <= status < 300]
        seen = ", ".join(f"{name}: {_described(status)}" for name, status in served.items())
        if not good:
            return Finding("note", "paths", f"neither generation listed connections ({seen})", "unknown")
        wanted = self.settings.provider_paths
        if wanted not in {"auto", *good}:
            says = f"MAGICLINK_PROVIDER_PATHS is {wanted}, and only {good[0]} paths are served ({seen}); set it to auto"
            return Finding("note", "paths", says)
        return Finding("good", "paths", f"served: {' and '.join(good)} paths ({seen})")

    async def _method(self) -> Finding:
        links = {
            "reference": f"/connection/company/{_NO_ID}/link",
            "company": f"/company/{_NO_ID}/connection/link",
            "edit": f"/connection/{_NO_ID}",
        }
        statuses = {name: await self._accepted_status("POST", path) for name, path in links.items()}
        seen = ", ".join(f"{name}: {_described(status)}" for name, status in statuses.items())
        if 405 in (statuses["edit"], statuses["reference"]) or statuses["company"] == 405:
            return Finding("note", "method", f"POST of a magic link is refused ({seen}); the service uses GET there")
        says = f"POST of a magic link for an id that does not exist is not refused ({seen}); only a real link proves it"
        return Finding("note", "method", says, "unknown")

    async def _invitations(self, company_id: ProviderCompanyId | None) -> Finding:
        created = await self._accepted_status("POST", f"/invitation/company/{_NO_ID}")
        if created in _REFUSED:
            says = "the key may not invite; allow it, or set MAGICLINK_LINK=magic_link"
            return Finding("bad" if self.settings.link == "invitation" else "note", "invitations", says)
        if company_id is None:
            says = "no company is there whose invitations could be listed; create a session and run doctor again"
            return Finding("note", "invitations", says, "not tested")
        listed = await self._accepted_status("GET", f"/invitation/company/{company_id}")
        if listed is not None and 200 <= listed < 300:
            says = "the key may list invitations; inviting is not tried, since an invitation cannot be removed again"
            return Finding("good", "invitations", says, "unknown")
        says = (
            f"invitations cannot be listed ({_described(listed)}); sessions then use magic links, which are less exact"
        )
        return Finding("note", "invitations", says)

    async def _framing(self) -> Finding:
        try:
            # Without the API key: these pages are for browsers. No live link is opened: that counts as a view.
            page = await self.http.get(
                self.settings.provider_pages_url + _NO_LINK, timeout=self.patience_seconds, follow_redirects=False
            )
        except httpx.HTTPError:
            return Finding("note", "framing", "the provider's pages cannot be reached; run doctor again", "unknown")
        refusal = framing_refusal(page.headers, self.settings.public_url)
        if refusal is not None:
            says = f"the provider's pages may not be framed here ({refusal}); users get a window. Ask the provider"
            return Finding("note", "framing", says)
        says = (
            f"the page of a link that does not exist ({page.status_code}) may be framed; a live link is not opened, "
            "since that counts as a view: open a session to be sure"
        )
        return Finding("good", "framing", says, "unknown")


def framing_refusal(headers: Mapping[str, str], public_url: str) -> str | None:
    """Return the header that keeps a page of `public_url` from framing the answer; None where there is none."""
    policy = headers.get("content-security-policy", "")
    ancestors = re.search(r"(?:^|[;,])\s*frame-ancestors\s+([^;,]*)", policy, re.IGNORECASE)
    if ancestors is not None:  # Reference: CSP 3, 7.7.1: where it is there, X-Frame-Options is ignored.
        sources = ancestors[1].split()
        open_to = {"*", f"{public_url.partition(':')[0]}:", origin_of(public_url), public_url}
        return None if open_to & set(sources) else f"frame-ancestors {_printable(ancestors[1])}"
    option = headers.get("x-frame-options", "")
    return f"X-Frame-Options {_printable(option)}" if option.strip() else None


def _wrong_password(connections: Sequence[ReportedConnection]) -> Finding:
    spelled = sorted({one.status for one in connections if canonical_status(one.status) == _WRONG_PASSWORD})
    if spelled:
        return Finding("good", "wrong password", f"the provider says {' and '.join(spelled)}; both spellings are read")
    says = "no listed connection has a wrong password; both spellings are read, so there is nothing to do"
    return Finding("good", "wrong password", says, "unknown")


def _white_label() -> Finding:
    says = "name, colour and logo of the provider's pages are set by the provider by hand: ask"
    return Finding("note", "white label", says, "not tested")


def _described(status: int | None) -> str:
    return "no answer" if status is None else f"answers {status}"


def _printable(text: str) -> str:
    # A control character could steer the operator's terminal.
    return re.sub(r"[^\x20-\x7e]", "…", text.strip())[:100]
