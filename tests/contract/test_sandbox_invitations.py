"""Invitations: uses, expiry, the log, and what they create."""

from typing import Any

import pytest

from service.sandbox.wire.errors import ClosedLink, EmailNotVerified, RecordMissing
from service.sandbox.world.account_form import read_edit, read_submission
from service.sandbox.world.invitations import Via
from tests.support.clock import Clock
from tests.support.sandbox_client import GUIDE, JsonObject, Sandbox


class InvitationClient:
    """An invitation's page, without its HTML."""

    def __init__(self, sandbox: Sandbox, company: str, sites: list[str]) -> None:
        self.sandbox, self.world, self.company, self.sites = sandbox, sandbox.world, company, sites

    async def invite(self, **body: Any) -> JsonObject:
        made: JsonObject = await self.sandbox.post(f"/invitation/company/{self.company}", body)
        return made

    async def read(self, invitation: JsonObject) -> JsonObject:
        shown: JsonObject = await self.sandbox.get(f"/invitation/{invitation['id']}")
        return shown

    def use(self, invitation: JsonObject, proof: str | None = None, **fields: Any) -> str:
        submission = read_submission({**GUIDE, "sites": self.sites, **fields})
        return self.world.submissions.create(self.company, submission, Via("invitation", invitation["id"], proof)).id

    def edit(self, invitation: JsonObject, connection: str, **fields: Any) -> str:
        before = self.world.connections.get(connection)
        via = Via("invitation", invitation["id"])
        return self.world.submissions.edit(before.id, read_edit(before, fields), via).status


@pytest.fixture
async def client(sandbox: Sandbox) -> InvitationClient:
    company, sites = await sandbox.company()
    return InvitationClient(sandbox, company, sites)


async def test_an_invitation_expires(client: InvitationClient) -> None:
    made = await client.invite(expiresInSeconds=60)
    client.sandbox.clock.advance(59)
    assert (await client.read(made))["status"] == "ACTIVE"
    client.sandbox.clock.advance(1)
    assert (await client.read(made))["status"] == "EXPIRED"
    with pytest.raises(ClosedLink, match="expired"):
        client.use(made)


async def test_a_revoked_invitation_is_closed_and_revoking_again_changes_nothing(client: InvitationClient) -> None:
    made = await client.invite()
    for _ in range(2):
        revoked = await client.sandbox.post(f"/invitation/{made['id']}/revoke")
        assert revoked["status"] == "REVOKED"
    with pytest.raises(ClosedLink, match="revoked"):
        client.use(made)
    assert [entry["type"] for entry in (await client.read(made))["events"]] == ["REVOKED"]


async def test_only_an_allowed_and_verified_address_may_use_it(client: InvitationClient) -> None:
    made = await client.invite(allowedEmails=["ada@example.com"])
    with pytest.raises(EmailNotVerified):
        client.world.invitations.verify_email(made["token"], "mallory@example.com")
    for proof in (None, "", "ada@example.com", "made up"):
        with pytest.raises(EmailNotVerified):
            client.use(made, proof)
    assert (await client.read(made))["useCount"] == 0


async def test_a_wrong_password_and_its_correction_are_one_use_and_one_connection(client: InvitationClient) -> None:
    made = await client.invite(maxUses=1)
    connection = client.use(made, password="wrong")
    assert (await client.read(made))["createdConnections"][0]["status"] == "INCORRECT_PASSWORD"
    assert client.edit(made, connection, password=GUIDE["password"]) == "CONNECTED"
    shown = await client.read(made)
    assert (shown["useCount"], len(shown["createdConnections"])) == (1, 1)


async def test_an_invitation_of_one_company_creates_nothing_in_another(client: InvitationClient) -> None:
    made = await client.invite()
    other, sites = await client.sandbox.company("Other")
    with pytest.raises(RecordMissing):
        client.world.submissions.create(
            other, read_submission({**GUIDE, "sites": sites}), Via("invitation", made["id"])
        )


async def test_an_invitation_without_limits_stays_active(client: InvitationClient) -> None:
    made = await client.invite()
    assert (made["status"], made["expiresAt"], made["maxUses"], made["useCount"]) == ("ACTIVE", None, None, 0)
    for _ in range(3):
        client.use(made)
    client.sandbox.clock.advance(10**8)
    shown = await client.read(made)
    assert (shown["status"], shown["useCount"], len(shown["createdConnections"])) == ("ACTIVE", 3, 3)


async def test_an_invitation_has_the_requested_fields(client: InvitationClient) -> None:
    prefill = {
        "url": GUIDE["url"],
        "initialSites": client.sites,
        "utilityTypes": ["GAS"],
        "country": "US",
        "connectionOwnerEmail": "ada@example.com",
        "dataCollectionStartDate": "2025-01-01",
    }
    made = await client.invite(maxUses=1, expiresInSeconds=3600, allowedEmails=["ada@example.com"], prefill=prefill)
    assert made["prefill"] == prefill
    assert made["allowedEmails"] == ["ada@example.com"]
    assert made["invitationUrl"].endswith(f"/p/i/{made['token']}")
    assert (made["invitationType"], made["companyId"], made["connectionId"]) == (
        "CREATE_CONNECTION",
        client.company,
        None,
    )


async def test_an_invitation_is_fulfilled_after_its_last_use_and_names_its_connection(client: InvitationClient) -> None:
    made = await client.invite(maxUses=1)
    connection = client.use(made)
    shown = await client.read(made)
    assert (shown["status"], shown["useCount"]) == ("FULFILLED", 1)
    assert [(one["id"], one["status"]) for one in shown["createdConnections"]] == [(connection, "CONNECTED")]
    with pytest.raises(ClosedLink, match="fulfilled"):
        client.use(made)
    assert (await client.sandbox.get(f"/company/{client.company}/connection"))["totalConnections"] == 1


async def test_the_log_has_views_verifications_uses_and_revocation_in_order(client: InvitationClient) -> None:
    made = await client.invite(allowedEmails=["ada@example.com"])
    client.world.invitations.open(made["token"])
    client.sandbox.clock.advance(1)
    proof = client.world.invitations.verify_email(made["token"], "Ada@Example.com")
    client.sandbox.clock.advance(1)
    connection = client.use(made, proof)
    client.sandbox.clock.advance(1)
    await client.sandbox.post(f"/invitation/{made['id']}/revoke")
    events = (await client.read(made))["events"]
    assert [entry["type"] for entry in events] == ["VIEWED", "EMAIL_VERIFIED", "USED", "REVOKED"]
    assert [entry["createdAt"] for entry in events] == sorted({entry["createdAt"] for entry in events})
    assert (events[1]["email"], events[2]["connectionId"]) == ("ada@example.com", connection)


async def test_an_invitation_edits_only_what_it_created(client: InvitationClient) -> None:
    made, other = await client.invite(), await client.invite()
    connection = client.use(other)
    with pytest.raises(RecordMissing):
        client.edit(made, connection, username="mallory", password="x")


async def test_an_edit_invitation_is_used_when_the_credentials_work(client: InvitationClient) -> None:
    connection = (await client.sandbox.connect(client.company, client.sites, password="old"))["id"]
    made = await client.sandbox.post(f"/invitation/connection/{connection}", {"maxUses": 1})
    assert (made["invitationType"], made["connectionId"], made["prefill"]) == ("EDIT_CONNECTION", connection, {})
    assert client.edit(made, connection, password="still wrong") == "INCORRECT_PASSWORD"
    assert (await client.read(made))["useCount"] == 0
    assert client.edit(made, connection, password=GUIDE["password"]) == "CONNECTED"
    shown = await client.read(made)
    assert (shown["status"], shown["useCount"], shown["createdConnections"]) == ("FULFILLED", 1, [])
    with pytest.raises(ClosedLink):
        client.edit(made, connection, password="x")
    assert (await client.sandbox.get(f"/connection/{connection}/details"))["status"] == "CONNECTED"


async def test_an_edit_invitation_creates_no_connection(client: InvitationClient) -> None:
    connection = (await client.sandbox.connect(client.company, client.sites))["id"]
    made = await client.sandbox.post(f"/invitation/connection/{connection}")
    with pytest.raises(RecordMissing):
        client.use(made)


async def test_a_companys_invitations_are_listed_newest_first(client: InvitationClient) -> None:
    made = [(await client.invite())["id"] for _ in range(2)]
    page = await client.sandbox.get(f"/invitation/company/{client.company}")
    assert [one["id"] for one in page["invitations"]] == made[::-1]
    assert page["totalInvitations"] == 2


@pytest.mark.parametrize("switch", [True, False])
async def test_a_redirect_uri_is_stored_only_behind_the_switch(clock: Clock, *, switch: bool) -> None:
    sandbox = Sandbox(clock, redirects=switch)
    company, sites = await sandbox.company()
    extra = {"redirect_uri": "https://host.example/done", "state": "s1"}
    invitation = await sandbox.post(f"/invitation/company/{company}", extra)
    link = await sandbox.post(f"/company/{company}/connection/link", {**extra, "sites": sites})
    kept = sandbox.world.invitations.get(invitation["id"])
    known = sandbox.world.links.find(link["publicCompanyId"], link["companyMagicLinkSecret"])
    expected = (extra["redirect_uri"], extra["state"]) if switch else (None, None)
    assert (kept.redirect_uri, kept.state) == (known.redirect_uri, known.state) == expected
    refused = await sandbox.call("POST", f"/invitation/company/{company}", {"redirect_uri": "javascript:alert(1)"})
    assert refused.status_code == (400 if switch else 201)
