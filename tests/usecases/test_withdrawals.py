"""How long an invitation lives; whole use cases are in integration/."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.domain.timing import GRACE_SECONDS
from service.usecases.withdrawals import invitation_seconds
from tests.support.domain_values import NOW, session


@given(st.integers(60, 2_592_000), st.integers(1, 9), st.text("0123456789abcdef", min_size=8, max_size=24))
def test_an_invitation_lives_for_its_session_the_grace_and_less_than_an_hour_more(
    seconds: int, serial: int, name: str
) -> None:
    one = replace(session(name=f"ses_{name}"), expires_at=NOW + seconds, serial=serial)
    assert 0 <= invitation_seconds(one) - seconds - GRACE_SECONDS < 3600


def test_the_odd_seconds_are_the_same_each_time_and_the_sessions_and_the_serials_own() -> None:
    odd = {invitation_seconds(session(name=f"ses_{number}")) for number in range(200)}
    assert len(odd) > 150
    assert invitation_seconds(session()) == invitation_seconds(session())
    assert invitation_seconds(session()) != invitation_seconds(session(serial=2))
