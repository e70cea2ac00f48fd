"""The messages that a host page gets from embed.js: when each comes, what it adds, and what the host page does then."""

# Name, what it adds, when it comes, what to do; code is in backticks. The table of docs/integrate.md is this one.
MESSAGES: tuple[tuple[str, str, str, str], ...] = (
    ("ready", "", "The page has started: a flow begins.", "Nothing."),
    (
        "open",
        "{way}",
        "The provider's page has come up, in the frame (`frame`) or in a window of its own (`window`).",
        "Nothing.",
    ),
    ("finished", "", 'The user said "I have finished". Nothing is proved yet.', "Wait for the next message."),
    (
        "submitted",
        "{connections, uploads}",
        "Ends the flow. An account is recorded and the provider checks it, for up to two days.",
        "Thank the user, and show the connection as being checked.",
    ),
    (
        "connected",
        "{connections}",
        "Ends the flow, or is news after its end, once for each connection. A recorded connection works.",
        "Read `GET /v1/connections` and show it.",
    ),
    (
        "attention",
        "{connections, reason}",
        "A connection needs its user: `reason` is its state, `action_needed` or `empty`. The page says so itself.",
        "During the flow nothing; after its end offer to reconnect.",
    ),
    (
        "ambiguous",
        "",
        "After this page's own `finished`: an account has arrived, and its owner is being settled.",
        "Say that the account is being confirmed, and wait for `connected`.",
    ),
    (
        "exit",
        "{stage, reason, outcome}",
        (
            "Ends the flow without a result, once. `outcome` is what is left behind: `none`, `confirming` or "
            "`attention`. Not for `destroy()`, nor a `close()` before the first message."
        ),
        "Offer to connect again. The same `embedUrl` works until it expires.",
    ),
    (
        "expired",
        "{asked}",
        "`asked: false` ends the flow: its time is over. `asked: true`: the user asks for a new link.",
        (
            "Renew the session or create one, and give its `embedUrl` to the element, to `flow.url` or to `open`; "
            "with `asked: false` at the user's next click."
        ),
    ),
    (
        "error",
        "{code, retryable, requestId}",
        (
            "`retryable: false` ends the flow: `revoked`, `taken_over`, `not_found`, `blocked` (the page may not be "
            "framed here), `link_refused`, `bad_url`, or the session's own `failure`. `retryable: true` may "
            "pass by itself: `already_open`, `unavailable`, `load_timeout`, `rate_limited`, `internal_error`."
        ),
        "Log `code` and `requestId`. `retryable: false`: offer a new session; `true`: wait, the page offers a retry.",
    ),
    (
        "event",
        "{event}",
        "An event of the session's log: `event` is its type; `seq` and `at` are its own, as in `GET /v1/events`.",
        "Nothing, or show progress.",
    ),
    (
        "closed",
        "{outcome}",
        "The user closed the page of an ended flow. `outcome` is how the flow ended, or an error's code.",
        "Take its place away from your page.",
    ),
)
