"""The bodies that the pages' own script sends."""

from typing import Annotated

from pydantic import StringConstraints

from service.web.request_body import Body


class StartPage(Body):
    """The body of POST …/start; `takeOver`: the user confirmed that the page which is open elsewhere may end."""

    take_over: bool = False


class ExitPage(Body):
    """The body of POST …/exit: at which stage the user left, and why, in words of our own script."""

    stage: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "page"
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "left"
