"""The headers of every page, and the agreement between contexts and templates."""

from dataclasses import fields

import pytest
from jinja2 import UndefinedError, meta, nodes

from service.sandbox.dashboard import views as boards
from service.sandbox.hosted import steps
from service.sandbox.wire.html import SandboxErrorView, SandboxFrame, SandboxView, environment, page

VIEWS: list[type[SandboxView]] = [
    SandboxErrorView,
    steps.ProviderStep,
    steps.EmailStep,
    steps.CredentialsStep,
    steps.MfaStep,
    steps.QuestionsStep,
    steps.ForwardingStep,
    steps.ForwardingAddressStep,
    steps.SettingsStep,
    steps.DoneStep,
    boards.SandboxCompaniesPage,
    boards.SandboxCompanyPage,
    boards.SandboxConnectionPage,
    boards.SandboxBillPage,
]


def names_in(template: str) -> set[str]:
    """The names that a template uses, those of the templates it extends included."""
    loader = environment().loader
    assert loader is not None
    source, _, _ = loader.get_source(environment(), template)
    tree = environment().parse(source)
    parents = [each.template.value for each in tree.find_all(nodes.Extends) if isinstance(each.template, nodes.Const)]
    macros = {str(name) for each in tree.find_all(nodes.FromImport) for name in each.names}
    return (meta.find_undeclared_variables(tree) - macros).union(*(names_in(parent) for parent in parents))


def test_an_unknown_name_is_an_error_and_everything_is_escaped() -> None:
    assert environment().from_string("{{ text }}").render(text="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        environment().from_string("{{ nothing }}").render()


@pytest.mark.parametrize("view", VIEWS)
def test_a_context_has_exactly_the_names_that_its_template_uses(view: type[SandboxView]) -> None:
    assert names_in(view.template) == {each.name for each in fields(view)}


def test_every_page_template_has_a_context() -> None:
    whole = {name for name in environment().list_templates() if name.startswith("sandbox/")}
    parts = {"sandbox/frame.html", "sandbox/step.html", "sandbox/board.html", "sandbox/fields.html"}
    assert whole - parts == {view.template for view in VIEWS}


@pytest.mark.parametrize("frameable", [True, False])
def test_a_page_says_who_may_frame_it_and_where_its_forms_may_end(*, frameable: bool) -> None:
    view = SandboxErrorView(SandboxFrame("Title"), "Text", "Advice")
    answer = page(view, 410, frameable=frameable, form_targets=("https://app.example",))
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 410
    assert "form-action 'self' https://app.example" in policy
    assert ("frame-ancestors 'none'" in policy) is not frameable
    assert ("x-frame-options" in answer.headers) is not frameable
