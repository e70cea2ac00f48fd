"""The guide for integrators: its table of messages is the code's, and every link of it leads somewhere."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.web.docs.messages import MESSAGES
from service.web.docs.openapi import document
from tests.support.clock import Clock
from tests.support.documents import DOCS, table
from tests.support.services import HOST_URL, RunningServices, refused
from tests.support.users import User

DOCUMENT = "integrate.md"


@pytest.fixture
async def services(clock: Clock, tmp_path: Path) -> AsyncIterator[RunningServices]:
    running = RunningServices(clock, f"sqlite:///{tmp_path / 'magiclink.db'}")
    await running.open()
    yield running
    await running.close()


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_its_messages_are_those_of_the_reference_page() -> None:
    expected = [[f"`{name}`", f"`{adds}`" if adds else "", when, act] for name, adds, when, act in MESSAGES]
    assert table(DOCUMENT, "message") == expected


def test_every_message_says_what_to_do() -> None:
    assert [name for name, _, when, act in MESSAGES if not (when.endswith(".") and act.endswith("."))] == []


def test_every_link_of_it_and_every_link_to_it_leads_to_a_heading() -> None:
    for source in (DOCS / DOCUMENT, DOCS.parent / "README.md"):
        for name, anchor in re.findall(r"\]\((?:docs/)?([\w-]+\.md)#([^)]+)\)", source.read_text()):
            assert anchor in _anchors((DOCS / name).read_text()), (source.name, name, anchor)


async def test_a_user_without_a_session_has_the_status_that_it_says(services: RunningServices) -> None:
    (paragraph,) = [part for part in (DOCS / DOCUMENT).read_text().split("\n\n") if "/status?origin=" in part]
    answer = await services.host.get("/v1/users/nobody/status", params={"origin": HOST_URL})
    assert f"The answer is {answer.status_code} for a user" in " ".join(paragraph.split())


async def test_a_refusal_in_the_background_is_explained_to_the_same_call_with_prepare_now(
    services: RunningServices,
) -> None:
    ada = User(services, "ada")
    unknown = {"id": "00000000-0000-4000-8000-000000000000"}
    failed = await ada.session(company=unknown, sites=[unknown])
    assert (await services.get(f"/v1/sessions/{failed['id']}"))["failure"] == {"code": "provider_refused"}
    now = ada.wants(company=unknown, sites=[unknown], prepare="now")
    problem = refused(await services.host.post("/v1/sessions", json=now), 422, "provider_refused")
    assert problem["detail"] != problem["title"]
    shape = document("https://link.example.com")["components"]["schemas"]["Failure"]
    assert "`prepare: now`" in shape["properties"]["code"]["description"]
