"""The JSON bodies that the pages' own script sends."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from service.web.request_body import Body

# Both words are stored in the event log, which hosts read and show. The pattern keeps an altered script from storing
# other text there.
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


# 32 random bytes in base64url: an attacker who has the URL cannot guess them, and a shorter value is refused.
ResumeValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class StartPage(Body):
    """The body of POST …/start."""

    take_over: bool = Field(default=False, description="The user said that another page of the session may end.")
    resume: ResumeValue | None = Field(
        default=None,
        description="32 random bytes of this page. A start that sends them again is the same page. We keep a digest.",
    )
    kept_by: Literal["frame", "host"] = Field(
        default="frame", description="Whose storage keeps `resume`: the frame's own, or that of the host's page."
    )


class ExitPage(Body):
    """The body of POST …/exit; both are words of our own script."""

    stage: Word = Field(default="page", description="Where the user was.")
    reason: Word = Field(default="left", description="Why they left.")
