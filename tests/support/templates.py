"""The templates as the service renders them, and which names each one uses."""

from dataclasses import fields
from pathlib import Path

from jinja2 import FileSystemLoader, meta, nodes

from service.web.page_templates import page_templates
from service.web.pages.contexts import Page

LOADER = FileSystemLoader(Path(__file__).parents[2] / "templates")
ENVIRONMENTS = page_templates()
ENVIRONMENT = ENVIRONMENTS["en"]


def rendered(page: Page) -> str:
    return (
        ENVIRONMENTS[page.lang]
        .get_template(page.template)
        .render({field.name: getattr(page, field.name) for field in fields(page)})
    )


def family_of(template: str) -> dict[str, nodes.Template]:
    """Parse the template with all that it extends, imports and includes."""
    found: dict[str, nodes.Template] = {}
    waiting = [template]
    while waiting:
        name = waiting.pop()
        found[name] = ENVIRONMENT.parse(LOADER.get_source(ENVIRONMENT, name)[0])
        referenced = meta.find_referenced_templates(found[name])
        waiting += [other for other in referenced if other is not None and other not in found]
    return found


def made_by(tree: nodes.Template) -> set[str]:
    """Name what a template makes at its top level, which its blocks then see."""
    made = {macro.name for macro in tree.find_all(nodes.Macro)} | {part.target for part in tree.find_all(nodes.Import)}
    targets = [part.target for part in tree.find_all(nodes.Assign)]
    targets += [part.target for part in tree.find_all(nodes.AssignBlock)]
    return made | {target.name for target in targets if isinstance(target, nodes.Name)}


def used_by(template: str) -> set[str]:
    trees = family_of(template).values()
    used = set[str]().union(*(meta.find_undeclared_variables(tree) for tree in trees))
    return used - set[str]().union(*(made_by(tree) for tree in trees)) - ENVIRONMENT.globals.keys()
