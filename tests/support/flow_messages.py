"""What a host page is told of a flow, as a table of tests reads it."""

from typing import Any

from playwright.async_api import expect

from tests.support.browser_user import BrowserUser

Messages = list[dict[str, Any]]
ENDS = {"submitted", "connected", "exit"}
AFTER_END = {"connected", "attention", "event", "closed"}


def ends(message: dict[str, Any]) -> bool:
    """Whether a message ends its flow."""
    kind = message["type"]
    if kind == "expired":
        return not message["asked"]
    return kind in ENDS or (kind == "error" and not message["retryable"])


def follow_the_rules(messages: Messages) -> None:
    """Each flow, which `ready` begins after an end, ends once at most, and only news follow its end."""
    ended = False
    for message in messages:
        assert set(message) >= {"type", "sessionId", "seq", "at"}, message
        assert "/embed/" not in str(message), message
        if ended and message["type"] == "ready":
            ended = False
        elif ended:
            asks = message["type"] == "expired" and message["asked"]
            assert asks or message["type"] in AFTER_END, messages
        ended = ended or ends(message)


async def told(user: BrowserUser, *types: str, slow: bool = False) -> Messages:
    """Wait until the host page was told these, in this order, with nothing between but events; return them.

    On a busy machine a page may also be slow to load, which ends by itself: that is left out, unless `slow`.
    """
    left_out = [] if slow else ["load_timeout"]
    await user.page.wait_for_function(
        """({ count, leftOut }) => window.messages
            .filter(({ type, code }) => type !== "event" && !leftOut.includes(code)).length >= count""",
        arg={"count": len(types), "leftOut": left_out},
    )
    messages = await user.messages()
    follow_the_rules(messages)
    kept = [one for one in messages if one["type"] != "event" and one.get("code") not in left_out]
    assert [one["type"] for one in kept] == list(types)
    return kept


async def is_closed(user: BrowserUser) -> None:
    """No dialog is left, and the button that opened it has the focus again."""
    await expect(user.page.locator("dialog")).to_have_count(0)
    await expect(user.page.get_by_role("button", name="Connect a utility account", exact=True)).to_be_focused()
