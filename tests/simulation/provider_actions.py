"""What happens at the provider: accounts connected through links, leaked ones too, or elsewhere; mended, removed."""

from typing import Any
from urllib.parse import urlsplit

from service.sandbox.wire.enums import MFA_TOKEN_EXPIRED, PENDING, STATUSES, is_wrong_password
from service.sandbox.wire.errors import ClosedLink, EmailNotVerified, InvalidFields, RecordMissing
from service.sandbox.world.account_form import read_edit, read_submission
from service.sandbox.world.invitations import Via
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import MFA_CODE, PASSWORD, PROVIDER_URL, USERNAME
from tests.simulation.ground_truth import Channel, IssuedSession, Made
from tests.simulation.simulation import Simulation

_CHECK_SECONDS = (60.0, 7200.0, 3 * 86400.0)
_REFUSED = (ClosedLink, EmailNotVerified, InvalidFields, RecordMissing)


class ProviderActions:
    """Each action returns its result in a few words; None where there was nothing to act on."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.world = simulation.world

    async def use_link(self) -> str | None:
        """Somebody who holds a link connects an account; now and then it is not whom it was made for."""
        owners = list(self.simulation.ground_truth.owners.items())
        if not owners:
            return None
        sessions = self.simulation.ground_truth.sessions
        mending = [one for one in owners[-5:] if sessions[one[1]].reconnects]
        # Half the time a link to mend a connection, where there is one: otherwise it would hardly ever be chosen.
        chosen = mending if mending and self.simulation.rng.random() < 0.5 else owners[-5:]
        url, session_id = self.simulation.rng.choice(chosen)
        issued = self.simulation.ground_truth.sessions[session_id]
        leaked = self.simulation.plan.outsiders and self.simulation.rng.random() < 0.2
        user = "mallory" if leaked else issued.user
        try:
            return f"{user} with the link of {session_id}: {self._through(url, issued, user)}"
        except _REFUSED as refusal:
            return f"{user} with the link of {session_id}: refused, {type(refusal).__name__}"

    def _through(self, url: str, issued: IssuedSession, user: str) -> str:
        parts = urlsplit(url).path.split("/")
        if "workflow" in parts:
            link = self.world.links.find_edit(parts[3], parts[5])
            return self._mend(self.world.connections.get(link.connection_id), Via("link"), issued)
        if parts[2] == "i":
            return self._invited(parts[3], issued, user, url)
        link = self.world.links.find(parts[3], parts[4])
        made = self.world.submissions.create(link.company_id, self._account(link.company_id), Via("link"))
        return self._note(made, "link", issued, user, url)

    def _invited(self, token: str, issued: IssuedSession, user: str, url: str) -> str:
        invitation = self.world.invitations.open(token)
        proof = self.world.invitations.verify_email(token, f"{user}@example.com") if invitation.allowed_emails else None
        via = Via("invitation", invitation.id, proof)
        if invitation.connection_id:
            return self._mend(self.world.connections.get(invitation.connection_id), via, issued)
        made = self.world.submissions.create(invitation.company_id, self._account(invitation.company_id), via)
        return self._note(made, "invitation", issued, user, url)

    def _account(self, company_id: str) -> Any:
        """Good credentials, a wrong password to be corrected later, or a provider without a website."""
        rng = self.simulation.rng
        sites = [site.id for site in self.world.companies.sites_of(company_id)]
        url = "https://elsewhere.example" if rng.random() < 0.1 else PROVIDER_URL
        password = "wrong" if rng.random() < 0.2 else PASSWORD
        body = {"url": url, "username": USERNAME, "password": password, "sites": sites[: rng.randrange(1, 3)]}
        return read_submission(body, sites_later=True)

    def _note(
        self, made: SandboxConnection, channel: Channel, issued: IssuedSession | None, user: str, url: str = ""
    ) -> str:
        self.simulation.ground_truth.make(
            Made(
                made.id,
                channel,
                made.company_id,
                made.created_at,
                self.simulation.clocks.at,
                session=issued.id if issued else None,
                user=issued.user if issued else None,
                by=user,
                url=url,
                after_revocation=issued is not None and issued.revoked_at is not None,
            )
        )
        status = self._begin_check(made)
        return f"MAKES {made.id[:8]} through {channel}, {status}, at {made.created_at - 1_800_000_000:.3f}"

    def _mend(self, connection: SandboxConnection, via: Via, issued: IssuedSession) -> str:
        wrong = self.simulation.rng.random() < 0.2
        mended = self.world.submissions.edit(connection.id, _credentials(connection, wrong=wrong), via)
        if mended.status == MFA_TOKEN_EXPIRED:
            mended = self.world.submissions.answer_mfa(connection.id, MFA_CODE, via)
        if mended.status == "CONNECTED":
            self.simulation.ground_truth.reconnected.add((issued.id, connection.id))
        return f"mends {connection.id[:8]}, {self._begin_check(mended)}"

    def _begin_check(self, connection: SandboxConnection) -> str:
        """The real provider checks what was handed over, for a minute or for days; then it has any of its statuses."""
        rng = self.simulation.rng
        if not self.simulation.plan.checks or rng.random() < 0.3:
            return connection.status
        ends_at = self.simulation.clocks.at + rng.choice(_CHECK_SECONDS)
        found = rng.choice(("CONNECTED", "CONNECTED", rng.choice(STATUSES)))
        self.simulation.ground_truth.checks.append((ends_at, connection.id, found))
        self.world.connections.set_status(connection.id, PENDING)
        return PENDING

    async def end_checks(self) -> str | None:
        """The checks that are over by now have found something."""
        truth, now = self.simulation.ground_truth, self.simulation.clocks.at
        over = [one for one in truth.checks if one[0] <= now]
        truth.checks = [one for one in truth.checks if one[0] > now]
        for _, connection_id, status in over:
            if connection_id not in truth.removed:
                self.world.connections.set_status(connection_id, status)
        return ", ".join(f"{name[:8]} is checked: {status}" for _, name, status in over) or None

    async def correct(self) -> str | None:
        """A wrong password is corrected, or a code given, on the page that made the connection."""
        waiting = [
            (connection, made)
            for made in self.simulation.ground_truth.made.values()
            if made.id not in self.simulation.ground_truth.removed and made.channel in {"link", "invitation"}
            if _needs_person((connection := self.world.connections.get(made.id)).status)
        ]
        if not waiting:
            return None
        connection, made = self.simulation.rng.choice(waiting)
        via = Via("link") if made.channel == "link" else Via("invitation", connection.invitation_id, self._proof(made))
        try:
            if connection.status == MFA_TOKEN_EXPIRED:
                after = self.world.submissions.answer_mfa(connection.id, MFA_CODE, via)
            else:
                after = self.world.submissions.edit(connection.id, _credentials(connection, wrong=False), via)
        except _REFUSED as refusal:
            return f"{made.by} corrects {made.id[:8]}: {type(refusal).__name__}"
        return f"{made.by} corrects {made.id[:8]}: {after.status}"

    def _proof(self, made: Made) -> str | None:
        verified = self.world.invitations.by_token(made.url.rpartition("/")[2]).verified
        return next(iter(verified), None)

    def be_there_before(self) -> None:
        """The first company is known to the provider, with accounts of its own, before any host uses us."""
        name = self.simulation.plan.companies[0]
        company = self.world.companies.create({"externalId": name, "name": name.title()})
        self.world.companies.create_site(company.id, {"externalId": "hq", "name": "HQ"})
        for _ in range(self.simulation.rng.randrange(1, 4)):
            made = self.world.submissions.create(company.id, self._account(company.id), Via("dashboard"))
            self.simulation.note("before", self._note(made, "before", None, "operator"))

    async def dashboard(self) -> str | None:
        """The operator connects an account in the provider's own dashboard."""
        company = self._any_company()
        if company is None:
            return None
        made = self.world.submissions.create(company, self._account(company), Via("dashboard"))
        return f"operator {self._note(made, 'dashboard', None, 'operator')}"

    async def invite_elsewhere(self) -> str | None:
        """An invitation that the service did not make is sent, or used."""
        company = self._any_company()
        if company is None:
            return None
        ours = {owner.rpartition("/")[2] for owner in self.simulation.ground_truth.owners}
        foreign = [one for one in self.world.invitations.of(company) if one.expires_at is None]
        if not foreign or self.simulation.rng.random() < 0.5:
            fresh = self.world.invitations.create(company, {"maxUses": self.simulation.rng.choice((None, 1, 2))})
            return f"operator invites elsewhere: {fresh.id[:8]}"
        invitation = self.simulation.rng.choice(foreign)
        assert invitation.token not in ours
        try:
            made = self.world.submissions.create(company, self._account(company), Via("invitation", invitation.id))
        except _REFUSED as refusal:
            return f"somebody invited elsewhere: {type(refusal).__name__}"
        return f"somebody invited elsewhere {self._note(made, 'foreign', None, 'somebody')}"

    async def check(self) -> str | None:
        """The provider's own checking gives a connection another status."""
        connection = self._any_connection()
        if connection is None:
            return None
        after = self.world.connections.set_status(connection.id, self.simulation.rng.choice(STATUSES))
        return f"provider finds {connection.id[:8]} {after.status}"

    async def remove(self) -> str | None:
        connection = self._any_connection()
        if connection is None:
            return None
        self.world.connections.remove(connection.id)
        self.simulation.ground_truth.removed.add(connection.id)
        return f"provider forgets {connection.id[:8]}"

    def _any_connection(self) -> SandboxConnection | None:
        there = [one for one in self.simulation.ground_truth.made if one not in self.simulation.ground_truth.removed]
        return self.world.connections.get(self.simulation.rng.choice(there)) if there else None

    def _any_company(self) -> str | None:
        known = list(self.world.companies)
        return self.simulation.rng.choice(known).id if known else None


def _needs_person(status: str) -> bool:
    return is_wrong_password(status) or status == MFA_TOKEN_EXPIRED


def _credentials(connection: SandboxConnection, *, wrong: bool) -> Any:
    password = "wrong" if wrong else PASSWORD
    return read_edit(connection, {"username": USERNAME, "password": password, "url": PROVIDER_URL})
