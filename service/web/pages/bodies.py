"""The JSON bodies that the pages' own script sends."""

from typing import Annotated

from pydantic import Field, StringConstraints

from service.web.request_body import Body

# Both words come into the event log, which hosts read and show: an altered script cannot bring other text into it.
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


class StartPage(Body):
    """The body of POST …/start."""

    take_over: bool = Field(default=False, description="The user said that another page of the session may end.")


class ExitPage(Body):
    """The body of POST …/exit; both are words of our own script."""

    stage: Word = Field(default="page", description="Where the user was.")
    reason: Word = Field(default="left", description="Why they left.")
