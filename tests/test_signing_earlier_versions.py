"""What an earlier version signed or stored: it must still be read, and in another shape be refused."""

import hashlib
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer

from service.domain.tokens import digest, key_id
from tests.support.signed_texts import CONNECT, EMBED, NEW, OLD, OUTCOME, READERS, WAY_BACK

# Made once by the first version. Addresses and rows out there hold such texts: they may change with a new salt only.
PAYLOAD = "WyJzZXNfMDEyMzQ1Njc4OWFiY2RlZiIsMSwxODAwMDAwMDAwXQ"
SIGNED = {
    "embed": f"{PAYLOAD}.TTGQXziaB1ENNBlP3dog8J4Sprw-mxi16zjt_f_6qxs",
    "connect": f"{PAYLOAD}.qOb-dwyYHNxk4nHxh8D006sUhQDNEYyZqXTXB5yQMWg",
    "state": "WyJzZXNfMDEyMzQ1Njc4OWFiY2RlZiIsImUwYTg3MzM4M2M1NWY2ODMwM2IyZmFmNjUxN2EyNWRlIiwyXQ."
    "rEiBT4RRxAqdT2ao7QGBXUIkOQoK9JLrfdV1hTbSgfo",
    "result": "WyJzZXNfMDEyMzQ1Njc4OWFiY2RlZiIsImRlZmF1bHQiLCJlMGE4NzMzODNjNTVmNjgzMDNiMmZhZjY1MTdhMjVkZSIsImNvbm5lY3Rl"
    "ZCIsImNvbm5lY3Rpb24tMSIsMTgwMDAwMDAwMF0.T3SjVG8pV3qi6kTARsoo4fvigdK5HNu8EsbzOXVpbuA",
}
SALTS = {
    "embed": "embed-token.v1",
    "connect": "connect-token.v1",
    "state": "connect-state.v1",
    "result": "connect-result.v1",
    "status": "user-status.v1",
    "handoff": "handoff-token.v1",
}
SHAPES: dict[str, list[Any]] = {
    "embed": ["ses_1", 1, 2],
    "connect": ["ses_1", 1, 2],
    "state": ["ses_1", "digest", 1],
    "result": ["ses_1", "default", "digest", "connected", "connection-1", 1],
    "status": ["default", "usr_1", "https://app.example.com", 1],
    "handoff": ["ses_1", "nonce", 1],
}

ODD: list[Any] = [None, True, 1.0, [], {}]


def signed(kind: str, values: Any) -> str:
    """By our own key and for that purpose."""
    return URLSafeSerializer(NEW, salt=SALTS[kind], signer_kwargs={"digest_method": hashlib.sha256}).dumps(values)


def test_what_we_sign_is_spelled_as_the_first_version_spelled_it() -> None:
    assert {"embed": EMBED, "connect": CONNECT, "state": WAY_BACK, "result": OUTCOME} == SIGNED


def test_what_rows_hold_of_a_secret_and_of_a_key_is_spelled_as_the_first_version_spelled_it() -> None:
    assert digest("a") == "8bcd79f15b1d37a55d10f62bb7a34a4cfb2c55a04fbf85af64f02b6cb46b1af1"
    assert key_id(OLD) == "2d99ed39"


@pytest.mark.parametrize("kind", READERS)
def test_another_shape_is_refused_even_if_we_signed_it(kind: str) -> None:
    read, _, refusal = READERS[kind]
    good = SHAPES[kind]
    changed = [[*good[:at], other, *good[at + 1 :]] for at in range(len(good)) for other in ODD]
    others = [[], good[:-1], [*good, 1], {str(at): value for at, value in enumerate(good)}, "a" * len(good), 5, None]
    for values in (*changed, *others):
        with pytest.raises(refusal):
            read(signed(kind, values))


@pytest.mark.parametrize("kind", ["embed", "connect", "state", "status", "handoff"])
def test_the_shape_of_today_is_read(kind: str) -> None:
    assert READERS[kind][0](signed(kind, SHAPES[kind]))
