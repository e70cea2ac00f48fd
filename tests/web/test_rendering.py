"""Pages whose constant parts are kept are the same, letter by letter, as those that are rendered whole."""

from dataclasses import fields, replace
from itertools import product
from typing import Any

import jinja2
import pytest

from service.web.page_templates import page_templates
from service.web.pages.brand import Brand
from service.web.pages.contexts import PAGES, ConnectPage, EmbedPage, Page
from service.web.pages.rendering import PageRenderer

HOSTILE = "<script>alert('1')</script> & \" \ue000company\ue001 {{ company }} {% raw %}"
EMBED = EmbedPage(
    company="Acme Ltd",
    user_label="a•••@example.com",
    support_url="https://app.example.com/help",
    session_id="ses_0123456789abcdef",
    token_path="/embed/token",
    live_path="/live/token",
    provider_origin="https://provider.example",
    host_origin="https://app.example.com",
    help_upload="https://app.example.com/bills",
)
CONNECT = ConnectPage(company="Acme Ltd", action="/connect/token/start", form_value="value", mode="reconnect")
TEMPLATES = page_templates()
KEPT: tuple[Any, ...] = (EMBED, CONNECT)


def whole(page: Page) -> str:
    template = TEMPLATES[page.lang].get_template(page.template)
    return template.render({field.name: getattr(page, field.name) for field in fields(page)})


@pytest.mark.parametrize("page", [*KEPT, replace(EMBED, lang="fr")], ids=lambda page: type(page).__name__)
def test_a_kept_page_is_what_its_template_renders(page: Any) -> None:
    renderer = PageRenderer(TEMPLATES)
    for name, text in product(sorted(page.printed), (HOSTILE, "", None, "another")):
        changed = replace(page, **{name: text})
        for _ in range(2):  # the second time from the kept parts
            assert renderer.render(changed) == whole(changed)


@pytest.mark.parametrize("page", KEPT, ids=lambda page: type(page).__name__)
def test_a_hosts_name_that_looks_like_a_mark_is_shown_as_it_is(page: Any) -> None:
    named = replace(page, brand=Brand(name="\ue000another\ue001"))
    assert PageRenderer(TEMPLATES).render(named) == whole(named)


@pytest.mark.parametrize("page", KEPT, ids=lambda page: type(page).__name__)
def test_texts_of_one_session_are_never_in_the_page_of_another(page: Any) -> None:
    renderer = PageRenderer(TEMPLATES)
    renderer.render(replace(page, **dict.fromkeys(page.printed, "secret of Ada")))
    assert "Ada" not in renderer.render(replace(page, **dict.fromkeys(page.printed, "Bob")))


def test_the_template_is_rendered_once_for_all_sessions_of_a_form() -> None:
    rendered: list[str] = []

    class Counting(jinja2.Environment):
        def get_template(self, name: Any, *_args: Any, **_options: Any) -> jinja2.Template:
            rendered.append(name)
            return TEMPLATES["en"].get_template(name)

    renderer = PageRenderer({"en": Counting(), "fr": Counting()})
    for number in range(3):
        renderer.render(replace(EMBED, session_id=f"ses_{number}", company=f"Company {number}"))
    renderer.render(replace(EMBED, user_label=None))
    renderer.render(replace(EMBED, lang="fr"))
    assert rendered == ["pages/embed.html"] * 3


def test_each_page_whose_parts_are_kept_is_tested_here() -> None:
    assert {type(page) for page in KEPT} == {page for page in PAGES if page.printed}
