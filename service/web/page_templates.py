"""Where the templates are, and how they are rendered: escaped, and an unknown name is an error."""

from functools import cache
from pathlib import Path

import jinja2


@cache
def page_templates() -> jinja2.Environment:
    """Return the environment that compiles each template once in a process.

    The templates are beside the package in the repository, and inside it in the wheel.
    """
    here = Path(__file__).parents[1]
    shipped = here / "templates"
    folder = shipped if shipped.is_dir() else here.parent / "templates"
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        auto_reload=False,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
