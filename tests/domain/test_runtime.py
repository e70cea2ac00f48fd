"""Ids: new each time, of the operating system's random bytes, whatever thread asks."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

from service.domain.runtime import IdSource


def test_an_id_is_its_prefix_and_24_hexadecimal_digits_of_the_random_bytes() -> None:
    new_id = IdSource(lambda length: bytes(at % 256 for at in range(length)))
    assert new_id("ses") == "ses_000102030405060708090a0b"
    assert new_id("evt").startswith("evt_")
    assert len(new_id("evt")) == len("evt_") + 24


def test_no_id_is_given_twice_and_random_bytes_are_read_for_many_at_once() -> None:
    asked: list[int] = []
    numbers = count()  # atomic: two threads that ask at once get different bytes

    def random_bytes(length: int) -> bytes:
        asked.append(length)
        return b"".join(next(numbers).to_bytes(12) for _ in range(length // 12))

    new_id = IdSource(random_bytes)
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: new_id("ses"), range(2000)))
    assert len(set(ids)) == 2000
    assert len(asked) <= 2000 // 256 + 8
