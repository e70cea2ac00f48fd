"""Invitations: uses, expiry, the log, and what they make."""

from typing import Any

import pytest

from service.sandbox.wire.errors import ClosedLink, EmailNotVerified, Missing
from service.sandbox.world.invitations import Via
from service.sandbox.world.submission import read_edit, read_submission
from tests.clock import Clock
from tests.support.sandbox_client import GUIDE, Sandbox, Wire


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(clock)


class House:
    """An invitation's page, without its HTML."""

    def __init__(self, sandbox: Sandbox, company: str, sites: list[str]) -> None:
        self.sandbox, self.world, self.company, self.sites = sandbox, sandbox.world, company, sites

    async def invite(self, **body: Any) -> Wire:
        made: Wire = await self.sandbox.post(f"/invitation/company/{self.company}", body)
        return made

    async def read(self, invitation: Wire) -> Wire:
        shown: Wire = await self.sandbox.get(f"/invitation/{invitation['id']}")
        return shown

    def use(self, invitation: Wire, proof: str | None = None, **fields: Any) -> str:
        submission = read_submission({**GUIDE, "sites": self.sites, **fields})
        return self.world.submissions.create(self.company, submission, Via("invitation", invitation["id"], proof)).id

    def edit(self, invitation: Wire, connection: str, **fields: Any) -> str:
        before = self.world.connections.get(connection)
        via = Via("invitation", invitation["id"])
        return self.world.submissions.edit(before.id, read_edit(before, fields), via).status


@pytest.fixture
async def house(sandbox: Sandbox) -> House:
    company, sites = await sandbox.company()
    return House(sandbox, company, sites)


async def test_a_plain_invitation_never_ends_by_itself(house: House) -> None:
    made = await house.invite()
    assert (made["status"], made["expiresAt"], made["maxUses"], made["useCount"]) == ("ACTIVE", None, None, 0)
    for _ in range(3):
        house.use(made)
    house.sandbox.clock.advance(10**8)
    shown = await house.read(made)
    assert (shown["status"], shown["useCount"], len(shown["createdConnections"])) == ("ACTIVE", 3, 3)


async def test_an_invitation_answers_what_was_asked(house: House) -> None:
    prefill = {
        "url": GUIDE["url"],
        "initialSites": house.sites,
        "utilityTypes": ["GAS"],
        "country": "US",
        "connectionOwnerEmail": "ada@example.com",
        "dataCollectionStartDate": "2025-01-01",
    }
    made = await house.invite(maxUses=1, expiresInSeconds=3600, allowedEmails=["ada@example.com"], prefill=prefill)
    assert made["prefill"] == prefill
    assert made["allowedEmails"] == ["ada@example.com"]
    assert made["invitationUrl"].endswith(f"/p/i/{made['token']}")
    assert (made["invitationType"], made["companyId"], made["connectionId"]) == (
        "CREATE_CONNECTION",
        house.company,
        None,
    )


async def test_a_used_up_invitation_is_fulfilled_and_names_its_connection(house: House) -> None:
    made = await house.invite(maxUses=1)
    connection = house.use(made)
    shown = await house.read(made)
    assert (shown["status"], shown["useCount"]) == ("FULFILLED", 1)
    assert [(one["id"], one["status"]) for one in shown["createdConnections"]] == [(connection, "CONNECTED")]
    with pytest.raises(ClosedLink, match="fulfilled"):
        house.use(made)
    assert (await house.sandbox.get(f"/company/{house.company}/connection"))["totalConnections"] == 1


async def test_an_invitation_expires(house: House) -> None:
    made = await house.invite(expiresInSeconds=60)
    house.sandbox.clock.advance(59)
    assert (await house.read(made))["status"] == "ACTIVE"
    house.sandbox.clock.advance(1)
    assert (await house.read(made))["status"] == "EXPIRED"
    with pytest.raises(ClosedLink, match="expired"):
        house.use(made)


async def test_a_revoked_invitation_is_dead_at_once_and_revoking_again_changes_nothing(house: House) -> None:
    made = await house.invite()
    for _ in range(2):
        revoked = await house.sandbox.post(f"/invitation/{made['id']}/revoke")
        assert revoked["status"] == "REVOKED"
    with pytest.raises(ClosedLink, match="revoked"):
        house.use(made)
    assert [entry["type"] for entry in (await house.read(made))["events"]] == ["REVOKED"]


async def test_the_log_tells_views_verifications_uses_and_revocation_in_order(house: House) -> None:
    made = await house.invite(allowedEmails=["ada@example.com"])
    house.world.invitations.open(made["token"])
    house.sandbox.clock.advance(1)
    proof = house.world.invitations.verify_email(made["token"], "Ada@Example.com")
    house.sandbox.clock.advance(1)
    connection = house.use(made, proof)
    house.sandbox.clock.advance(1)
    await house.sandbox.post(f"/invitation/{made['id']}/revoke")
    events = (await house.read(made))["events"]
    assert [entry["type"] for entry in events] == ["VIEWED", "EMAIL_VERIFIED", "USED", "REVOKED"]
    assert [entry["createdAt"] for entry in events] == sorted({entry["createdAt"] for entry in events})
    assert (events[1]["email"], events[2]["connectionId"]) == ("ada@example.com", connection)


async def test_only_an_allowed_and_verified_address_may_use_it(house: House) -> None:
    made = await house.invite(allowedEmails=["ada@example.com"])
    with pytest.raises(EmailNotVerified):
        house.world.invitations.verify_email(made["token"], "mallory@example.com")
    for proof in (None, "", "ada@example.com", "made up"):
        with pytest.raises(EmailNotVerified):
            house.use(made, proof)
    assert (await house.read(made))["useCount"] == 0


async def test_a_wrong_password_and_its_correction_are_one_use_and_one_connection(house: House) -> None:
    made = await house.invite(maxUses=1)
    connection = house.use(made, password="wrong")
    assert (await house.read(made))["createdConnections"][0]["status"] == "INCORRECT_PASSWORD"
    assert house.edit(made, connection, password=GUIDE["password"]) == "CONNECTED"
    shown = await house.read(made)
    assert (shown["useCount"], len(shown["createdConnections"])) == (1, 1)


async def test_an_invitation_edits_only_what_it_made(house: House) -> None:
    made, other = await house.invite(), await house.invite()
    connection = house.use(other)
    with pytest.raises(Missing):
        house.edit(made, connection, username="mallory", password="x")


async def test_an_invitation_of_one_company_makes_nothing_in_another(house: House) -> None:
    made = await house.invite()
    other, sites = await house.sandbox.company("Other")
    with pytest.raises(Missing):
        house.world.submissions.create(other, read_submission({**GUIDE, "sites": sites}), Via("invitation", made["id"]))


async def test_a_reconnect_invitation_is_used_when_the_credentials_work(house: House) -> None:
    connection = (await house.sandbox.connect(house.company, house.sites, password="old"))["id"]
    made = await house.sandbox.post(f"/invitation/connection/{connection}", {"maxUses": 1})
    assert (made["invitationType"], made["connectionId"], made["prefill"]) == ("EDIT_CONNECTION", connection, {})
    assert house.edit(made, connection, password="still wrong") == "INCORRECT_PASSWORD"
    assert (await house.read(made))["useCount"] == 0
    assert house.edit(made, connection, password=GUIDE["password"]) == "CONNECTED"
    shown = await house.read(made)
    assert (shown["status"], shown["useCount"], shown["createdConnections"]) == ("FULFILLED", 1, [])
    with pytest.raises(ClosedLink):
        house.edit(made, connection, password="x")
    assert (await house.sandbox.get(f"/connection/{connection}/details"))["status"] == "CONNECTED"


async def test_a_reconnect_invitation_makes_no_connection(house: House) -> None:
    connection = (await house.sandbox.connect(house.company, house.sites))["id"]
    made = await house.sandbox.post(f"/invitation/connection/{connection}")
    with pytest.raises(Missing):
        house.use(made)


async def test_a_companys_invitations_are_listed_newest_first(house: House) -> None:
    made = [(await house.invite())["id"] for _ in range(2)]
    page = await house.sandbox.get(f"/invitation/company/{house.company}")
    assert [one["id"] for one in page["invitations"]] == made[::-1]
    assert page["totalInvitations"] == 2


@pytest.mark.parametrize("switch", [True, False])
async def test_a_return_address_is_kept_only_behind_the_switch(clock: Clock, *, switch: bool) -> None:
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
