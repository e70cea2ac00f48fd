"""Durations that depend on each other, in seconds. `tests/domain/test_timing.py` asserts the inequalities.

A duration that only one module uses, and on which no other depends, stands in that module.
"""

# --- Sessions and their pages

# A flow that is under way when the session's time is over may still be finished.
GRACE_SECONDS = 900.0
# A page that has reported nothing for this long is gone.
PRESENCE_SECONDS = 60.0
# Between two comments of a silent stream. The page's script polls once a little longer than that has passed.
STREAM_COMMENT_SECONDS = 2.0
# A signed result is accepted by POST /v1/verify for this long.
RESULT_SECONDS = 600
# Another device may go on by an offered address for this long.
HANDOFF_SECONDS = 300
# The signed address of a user's status page is served for this long.
STATUS_SECONDS = 600
# A page may bring a new signed result for this long after the user's part was done, or after the session's end.
RESULT_DAY_SECONDS = 86400.0

# --- One call to the provider

# One HTTP exchange.
ATTEMPT_SECONDS = 10.0
# A call with its retries. It ends before its answer counts as lost.
CALL_SECONDS = 25.0
# A creating call has an intent row before it is sent. An answer that comes later than this after the intent is ignored.
ANSWER_SECONDS = 35.0
# All pages of one list.
LIST_SECONDS = 40.0
# How long the provider's lists may take to show what a call created whose answer was lost.
LOST_SECONDS = 120.0

# --- Jobs

# A worker that died holds its jobs for this long. Another worker has done them within 10 s, under load too.
LEASE_SECONDS = 8.0
# A living worker renews its leases this often, so that a lease outlives two renewals that fail.
LEASE_RENEWAL_SECONDS = 2.5
# A process that is asked to end gives its requests and its jobs this long. Then it gives the leases of the others back.
SHUTDOWN_SECONDS = 5
# Then a database that does not answer is waited for no longer than this for each of three steps, and its leases end by
# themselves.
RELEASE_SECONDS = 0.5
# PostgreSQL ends a transaction whose process stands still for this long, since others wait on its locks. It is shorter
# than a lease.
IDLE_TRANSACTION_SECONDS = 5.0

# --- Answers that wait for the provider

# How long POST /v1/sessions waits for the link where the host asks for `prepare: now`.
PREPARE_NOW_SECONDS = 45.0
# Meanwhile no worker prepares the session: it takes over only if this process died.
PREPARE_TAKEOVER_SECONDS = 60.0
# Version 0.2.0 left an Idempotency-Key without a lease; its process had answered by then, or died.
UNLEASED_KEY_SECONDS = 60.0
# The callback waits this long for a poll, then it continues with what is stored.
CALLBACK_POLL_SECONDS = 4.0

# The provider's clocks may disagree by this much. It widens the set of candidates and never narrows it.
UNCERTAINTY_SECONDS = 5.0
# How long an invitation may have been used without yet naming what it made.
SETTLE_SECONDS = 120.0
# After this time a use that no connection explains is given up: what it leaves undecided is announced as ambiguous.
UNDECIDED_SECONDS = 86400.0
# How far apart the two 404 answers are that prove a connection to be removed.
REMOVED_SECONDS = 60.0

# Where no page is present, a status that asks something of the user is confirmed by another poll this much later.
ATTENTION_SECONDS = 20.0

# --- Polling a company

# After "I have finished", while nothing is recorded.
POLL_FINISHED_SECONDS = 3.0
# While a page is present.
POLL_PRESENT_SECONDS = 20.0
# While the owner of a connection is undecided.
POLL_UNDECIDED_SECONDS = 30.0
# While a link that was shown can still be used.
POLL_OPEN_SECONDS = 600.0
# Every company for which a link was ever given.
POLL_DAILY_SECONDS = 86400.0
# While the log of a used invitation does not name the use yet.
POLL_LOG_SECONDS = 60.0
# How long after "I have finished" the short interval applies.
FINISHED_SECONDS = 90.0
# How long after a page's last report the company counts as present. The log of an invitation is read for as long, and
# for as long after a use was noticed.
RECENT_SECONDS = 600.0
# An invitation outlives its session by the grace and by up to an hour, which makes its lifetime recognisable. A magic
# link never ends; its company is polled for OUTLIVED_SECONDS after the session's end.
OUTLIVED_SECONDS = 2 * 3600.0
INVITATION_EXTRA_SECONDS = 3600

# --- Calls with an Idempotency-Key

# The answer to such a call is kept for this long.
KEY_KEPT_SECONDS = 86400.0
# An endpoint's secret can be read for longer, so that a repeat of the call that made it can return it.
SECRETS_KEPT_SECONDS = 2 * KEY_KEPT_SECONDS

# --- Webhooks to hosts

# One attempt at a delivery, with name resolution, connection and answer.
DELIVERY_SECONDS = 15.0
# Between the ten attempts of one delivery: 75.6 hours in all, so that a receiver may be away for a long weekend.
DELIVERY_PAUSES_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0, 86400.0, 86400.0)
# An endpoint that fails gets one delivery at a time, after pauses that double from the first to the longest.
PROBE_FIRST_SECONDS = 1.0
PROBE_LONGEST_SECONDS = 300.0
# An endpoint at which every delivery failed for this long is disabled. By then a single delivery has used its attempts.
ENDPOINT_DISABLED_SECONDS = 5 * 86400.0
# A secret that was replaced signs beside the new one for this long.
SECRET_OVERLAP_SECONDS = 86400.0
# Deliveries are kept for this long, which is more than all attempts of a delivery take.
DELIVERIES_KEPT_SECONDS = 30 * 86400.0

# --- Reminders

# How many days after a connection began to need attention its host is reminded.
REMINDER_DAYS = (1, 3, 10, 30)
FIRST_REMINDER_SECONDS = REMINDER_DAYS[0] * 86400.0
# The greatest age of the poll that confirms a reminder. A connection that was mended before that poll gets none.
CONFIRMED_SECONDS = 60.0
# How long a reminder waits for the poll that it asks for.
REMINDER_POLL_SECONDS = 50.0
# Without such a poll the reminder is tried again after half the time by which it is late, within these limits.
REMINDER_RETRY_SECONDS = (60.0, 3600.0)
