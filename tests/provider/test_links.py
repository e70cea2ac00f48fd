"""Links: what is asked for, and which answers may be handed to a person."""

from typing import Any

import httpx
import pytest

from service.domain.model import (
    ConnectionId,
    InvitationId,
    Link,
    LinkKind,
    ProviderCompanyId,
    ProviderSiteId,
    ReportedInvitation,
)
from service.errors import ForeignLink, ProviderBroken, ProviderNotFound
from service.provider import InvitationTerms, Redirect
from tests.support.fake_provider import DATE_AT, PAGES_URL, FakeProvider, answer

COMPANY = ProviderCompanyId("c1")
SITES = [ProviderSiteId("s1"), ProviderSiteId("s2")]
CONNECTION = ConnectionId("n1")
BACK = Redirect("https://link.example.com/callback", "signed")
INVITATION: dict[str, Any] = {
    "id": "i1",
    "token": "tok",
    "invitationType": "CREATE_CONNECTION",
    "status": "ACTIVE",
    "invitationUrl": f"{PAGES_URL}/p/i/tok",
    "useCount": 0,
    "createdAt": "2026-01-06T10:00:00.000000",
}


def saying(reply: httpx.Response, *paths: str) -> FakeProvider:
    return FakeProvider(routes={path: lambda _: reply for path in paths})


async def test_a_magic_link_is_asked_for_with_sites_and_prefill() -> None:
    reply = answer({"publicCompanyId": "pub", "companyMagicLinkSecret": "s", "magicLinkUrl": f"{PAGES_URL}/x"})
    fake = saying(reply, "POST /company/c1/connection/link")
    link = await fake.provider().links.magic_link(COMPANY, SITES, {"country": "US"})
    assert link == Link(LinkKind.MAGIC_LINK, f"{PAGES_URL}/x", DATE_AT)
    assert fake.body() == {"sites": ["s1", "s2"], "country": "US"}


async def test_a_magic_link_is_found_in_the_reference_generation_too() -> None:
    reply = answer({"publicCompanyId": "pub", "companyMagicLinkSecret": "sec"})
    fake = saying(reply, "POST /connection/company/c1/link")
    link = await fake.provider().links.magic_link(COMPANY, SITES, {}, BACK)
    assert link.url == f"{PAGES_URL}/p/connect/pub/sec"
    assert fake.body() == {"sites": ["s1", "s2"], "redirect_uri": BACK.uri, "state": BACK.state}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"publicId": "pub", "companyMagicLinkSecret": "a/b"}, "/p/connect/pub/a%2Fb"),
        ({"publicCompanyId": "pub", "connectionMagicLinkSecret": "e"}, "/p/connect/pub/workflow/e"),
        ({"publicCompanyId": "pub", "companyMagicLinkSecret": "s", "magicLinkUrl": None}, "/p/connect/pub/s"),
    ],
)
async def test_a_missing_address_is_put_together(body: dict[str, Any], path: str) -> None:
    link = await saying(answer(body), "POST /connection/n1").provider().links.edit_link(CONNECTION)
    assert link.url == PAGES_URL + path


@pytest.mark.parametrize(
    "body",
    [
        {"magicLinkUrl": "https://evil.example/p/connect/pub/s"},
        {"magicLinkUrl": f"{PAGES_URL}.evil.example/p"},
        {"magicLinkUrl": f"{PAGES_URL}@evil.example/p"},
        {"magicLinkUrl": "javascript:alert(1)"},
        {"magicLinkUrl": "http://pages.example.com/p"},
        {"companyMagicLinkSecret": "s"},
        {"publicCompanyId": "pub"},
        {},
        [],
    ],
)
async def test_a_link_that_is_not_on_the_providers_pages_is_refused(body: object) -> None:
    fake = saying(answer(body), "POST /connection/n1")
    with pytest.raises(ProviderBroken) as caught:
        await fake.provider().links.edit_link(CONNECTION)
    assert not caught.value.lost


async def test_a_link_of_unknown_time_counts_as_given_before_anything() -> None:
    body = {"publicCompanyId": "pub", "connectionMagicLinkSecret": "e"}
    fake = saying(answer(body, date=""), "POST /connection/n1")
    assert (await fake.provider().links.edit_link(CONNECTION, BACK)).provider_given_at == 0.0
    assert fake.body() == {"redirect_uri": BACK.uri, "state": BACK.state}


async def test_an_invitation_is_for_one_use_and_always_ends() -> None:
    fake = saying(answer(INVITATION, 201), "POST /invitation/company/c1")
    link = await fake.provider().links.invite(COMPANY, SITES, {"country": "US"}, InvitationTerms(5.2))
    assert link == Link(LinkKind.INVITATION, f"{PAGES_URL}/p/i/tok", DATE_AT, InvitationId("i1"))
    assert fake.body() == {
        "maxUses": 1,
        "expiresInSeconds": 60,
        "sendEmail": False,
        "prefill": {"country": "US", "initialSites": ["s1", "s2"]},
    }


async def test_an_invitation_for_an_email_address_is_for_it_alone() -> None:
    fake = saying(answer(INVITATION), "POST /invitation/company/c1")
    await fake.provider().links.invite(COMPANY, [], {}, InvitationTerms(3600.5, "ada@example.com", BACK))
    assert fake.body() == {
        "maxUses": 1,
        "expiresInSeconds": 3601,
        "sendEmail": False,
        "allowedEmails": ["ada@example.com"],
        "prefill": {"initialSites": [], "connectionOwnerEmail": "ada@example.com"},
        "redirect_uri": BACK.uri,
        "state": BACK.state,
    }


async def test_a_reconnect_invitation_has_no_prefill() -> None:
    body = INVITATION | {"invitationUrl": None, "connectionId": "n1"}
    fake = saying(answer(body), "POST /invitation/connection/n1")
    link = await fake.provider().links.invite_to_reconnect(CONNECTION, InvitationTerms(600, "ada@example.com"))
    assert link.url == f"{PAGES_URL}/p/i/tok"
    assert "prefill" not in fake.body()


async def test_an_invitation_without_an_id_may_exist_all_the_same() -> None:
    fake = saying(answer(INVITATION | {"id": None}), "POST /invitation/company/c1")
    with pytest.raises(ProviderBroken) as caught:
        await fake.provider().links.invite(COMPANY, SITES, {}, InvitationTerms(600))
    assert caught.value.lost


@pytest.mark.parametrize(
    "changes", [{"invitationUrl": "https://evil.example/"}, {"invitationUrl": None, "token": None}]
)
async def test_an_invitation_that_is_not_on_the_providers_pages_is_named_so_that_it_can_be_revoked(
    changes: dict[str, Any],
) -> None:
    fake = saying(answer(INVITATION | changes), "POST /invitation/company/c1")
    with pytest.raises(ForeignLink) as caught:
        await fake.provider().links.invite(COMPANY, SITES, {}, InvitationTerms(600))
    assert (caught.value.invitation_id, caught.value.lost) == (INVITATION["id"], False)


async def test_invitations_are_listed_with_what_they_created() -> None:
    made = {"createdConnections": [{"id": "n1", "status": "PENDING"}, {"id": "n2"}], "useCount": 2}
    edits = {"id": "i2", "connectionId": "n3", "invitationUrl": "https://evil.example/", "status": "REVOKED"}
    reply = answer([INVITATION | made, INVITATION | edits, INVITATION | {"id": "i3", "invitationUrl": None}])
    found = await saying(reply, "GET /invitation/company/c1").provider().links.invitations(COMPANY)
    assert found[0] == ReportedInvitation(
        id=InvitationId("i1"),
        status="ACTIVE",
        use_count=2,
        created=frozenset({ConnectionId("n1"), ConnectionId("n2")}),
        provider_created_at=DATE_AT,
        origin=PAGES_URL,
    )
    assert (found[1].edits, found[1].origin, found[1].status) == ("n3", "https://evil.example", "REVOKED")
    assert found[2].origin is None


@pytest.mark.parametrize("value", [None, [], {}, "odd", -1, True, 10**30])
@pytest.mark.parametrize(
    "field", ["status", "useCount", "createdAt", "expiresAt", "connectionId", "createdConnections"]
)
async def test_what_is_readable_of_an_invitation_is_used_and_the_rest_is_doubt(field: str, value: object) -> None:
    body = INVITATION | {"createdConnections": [{"id": "n1"}], "useCount": 1, field: value}
    listed = answer([body, INVITATION | {"id": "i2"}])
    found = await saying(listed, "GET /invitation/company/c1").provider().links.invitations(COMPANY)
    assert [one.id for one in found] == ["i1", "i2"]
    assert not found[1].doubtful
    assert field == "createdConnections" or found[0].created == {"n1"}
    assert not (found[0].is_explained and found[0].created != {"n1"})


async def test_one_odd_entry_of_what_it_made_hides_no_other_entry() -> None:
    made = [{"id": 5}, None, "n2", {"id": "n1"}]
    listed = answer([INVITATION | {"createdConnections": made, "useCount": 1}])
    (found,) = await saying(listed, "GET /invitation/company/c1").provider().links.invitations(COMPANY)
    assert found.created == {"n1"}
    assert found.doubtful


@pytest.mark.parametrize("item", [INVITATION | {"id": None}, INVITATION | {"id": 5}, {}, [], "i1", None])
async def test_an_invitation_without_an_id_is_left_out_and_the_snapshot_says_so(item: object) -> None:
    fake = saying(answer([item, INVITATION | {"id": "i2"}]), "GET /invitation/company/c1")
    fake.routes["GET /company/c1/connection"] = lambda _: answer([])
    snapshot = await fake.provider().snapshot(COMPANY)
    assert ([one.id for one in snapshot.invitations], snapshot.unread_invitations) == (["i2"], True)


async def test_a_revocation_has_the_providers_time_even_where_that_answer_has_none() -> None:
    fake = FakeProvider([answer(b"", 204, date=""), answer(b"", 204), answer(b"", 204, date="")])
    provider = fake.provider()
    assert await provider.links.revoke_invitation(InvitationId("i1")) is None
    assert await provider.links.revoke_invitation(InvitationId("i1")) == DATE_AT
    fake.now += 9
    assert await provider.links.revoke_invitation(InvitationId("i1")) == DATE_AT + 9
    assert fake.asked()[0] == "POST /invitation/i1/revoke"


async def test_an_id_from_a_stranger_cannot_become_another_path() -> None:
    fake = FakeProvider()
    with pytest.raises(ProviderNotFound):
        await fake.provider().links.revoke_invitation(InvitationId("../company"))
    assert fake.requests == []
