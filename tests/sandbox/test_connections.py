"""What a submission may be, and what an edit keeps."""

from dataclasses import replace
from typing import Any

import pytest

from service.sandbox.wire.errors import InvalidFields
from service.sandbox.world.account_form import read_edit, read_submission
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import is_sandbox_url

SITE = "00000000-0000-4000-8000-000000000001"
BODY: dict[str, Any] = {"url": "https://nectarclimate.com", "username": "ada", "password": "p", "sites": [SITE]}
KNOWN = SandboxConnection(
    id=SITE,
    company_id=SITE,
    secret="s",
    url=BODY["url"],
    username="ada",
    sites=(SITE,),
    status="CONNECTED",
    created_at=0,
    updated_at=0,
    status_at=0,
    first_seen_at=0,
    country="DE",
    types=("GAS",),
    owner_email="ada@example.com",
)


def test_what_is_not_said_has_its_default() -> None:
    submission = read_submission(BODY)
    assert (submission.country, submission.types, submission.owner_email) == ("US", (), None)


@pytest.mark.parametrize(
    "url",
    [
        "https://nectarclimate.com",
        "https://nectarclimate.com/",
        "http://www.nectarclimate.com",
        "HTTPS://NectarClimate.com",
    ],
)
def test_the_sandboxs_provider_is_known_by_its_address(url: str) -> None:
    assert is_sandbox_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://nectarclimate.com.evil.example", "https://evil.example/nectarclimate.com", "https://x.nectarclimate.com"],
)
def test_another_address_is_another_provider(url: str) -> None:
    assert not is_sandbox_url(url)


def test_a_page_may_ask_for_the_sites_later() -> None:
    body = {name: value for name, value in BODY.items() if name != "sites"}
    assert read_submission(body, sites_later=True).sites == ()
    with pytest.raises(InvalidFields) as refused:
        read_submission(body)
    assert set(refused.value.errors) == {"sites"}


def test_an_edit_keeps_what_is_absent_or_empty() -> None:
    edit = read_edit(KNOWN, {"username": "", "password": "", "workflowOwnerEmail": None})
    assert (edit.username, edit.password, edit.sites, edit.country) == ("ada", "", (SITE,), "DE")
    assert (edit.types, edit.owner_email) == (("GAS",), "ada@example.com")


@pytest.mark.parametrize("change", [{"username": "bob"}, {"url": "https://utility.example"}])
def test_other_credentials_need_their_password(change: dict[str, str]) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_edit(KNOWN, change)
    assert set(refused.value.errors) == {"password"}
    assert read_edit(KNOWN, {**change, "password": "p"}).password == "p"


def test_an_edit_may_choose_up_to_three_sites() -> None:
    others = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
    assert len(read_edit(KNOWN, {"sites": others[:3]}).sites) == 3
    with pytest.raises(InvalidFields) as refused:
        read_edit(KNOWN, {"sites": others})
    assert set(refused.value.errors) == {"sites"}


def test_sample_data_is_made_for_the_types_asked_for_that_the_sandbox_has() -> None:
    assert KNOWN.sample_types == ("GAS",)
    assert replace(KNOWN, types=("TELECOM", "FUEL")).sample_types == ("FUEL",)
    assert replace(KNOWN, types=()).sample_types == ("ELECTRICITY", "GAS", "WATER", "SOLAR", "FUEL")


def test_another_provider_is_called_by_its_host() -> None:
    assert replace(KNOWN, url="https://www.utility.example/login").provider_name == "www.utility.example"
