from dataclasses import fields
from typing import Any

import pytest
from jinja2 import meta

from service.demo import views
from service.demo.pages import environment
from service.demo.people import ACME, PEOPLE
from service.domain.status_words import StatusWords, StepPlace, all_words
from service.domain.statuses import ConnectionState
from tests.support.fake_service import connection


def account(**changes: Any) -> views.UtilityAccount:
    return views.utilities([connection(**changes)], [], ACME).accounts[0]


def test_an_unknown_state_is_never_shown_as_good() -> None:
    assert account(state="brand_new").tone == "bad"
    assert account(state=None, words=None).status == "Needs a look"


@pytest.mark.parametrize("words", [one for one in all_words() if one.state is not ConnectionState.WORKING])
def test_each_status_is_told_in_the_words_of_the_service(words: StatusWords) -> None:
    shown = account(status=words.status)
    assert (shown.status, shown.title, shown.detail) == (words.label, words.title, words.sentence)
    assert shown.steps == [step.text for step in words.steps if step.place is not StepPlace.UPLOAD]
    assert shown.tone == ("waiting" if words.state in {"checking", "delayed"} else "bad")


def test_an_unreadable_date_is_left_out() -> None:
    assert account(createdAt="yesterday").since == ""


def test_a_broken_account_is_not_waited_for() -> None:
    assert not views.utilities([connection(status="PASSWORD_INCORRECT")], [], ACME).waiting


@pytest.mark.parametrize(
    ("template", "context"),
    [
        ("sign_in.html", views.DemoSignInPage),
        ("home.html", views.DemoHomePage),
        ("utilities.html", views.UtilitiesView),
        ("done.html", views.DemoDonePage),
        ("error.html", views.DemoErrorPage),
    ],
)
def test_a_template_uses_exactly_the_fields_of_its_context(template: str, context: type[Any]) -> None:
    used: set[str] = set()
    for name in {template, "layout.html"} if template != "utilities.html" else {template}:
        source = environment().loader.get_source(environment(), name)[0]  # type: ignore[union-attr]
        used |= meta.find_undeclared_variables(environment().parse(source))
    assert used == {field.name for field in fields(context)}


def test_a_utility_without_a_name_is_called_by_its_address() -> None:
    assert account(provider={"name": None, "url": "https://northwind.example/"}).name == "northwind.example"
    assert account(provider=None).name == "Utility account"


@pytest.mark.parametrize(
    ("sites", "words"),
    [
        ([{"id": "1", "externalId": "hq"}, {"id": "2", "externalId": "warehouse"}], "Headquarters, Warehouse"),
        ([{"id": "1", "externalId": "hq"}, {"id": "9", "externalId": "annex"}], "2 buildings"),
        (["9"], "1 building"),
        ([], ""),
    ],
)
def test_buildings_are_named_if_all_are_known_and_counted_otherwise(sites: list[Any], words: str) -> None:
    assert account(sites=sites).sites == words


@pytest.mark.parametrize("status", ["opened", "connected", "exited"])
@pytest.mark.parametrize("state", ["action_needed", "empty", "inactive"])
def test_a_return_with_an_account_that_needs_its_user_says_so(status: str, state: str) -> None:
    shown = views.done(PEOPLE["ada"], {"status": status, "connectionState": state})
    assert (shown.tone, shown.heading) == ("bad", "Your utility account needs attention")
