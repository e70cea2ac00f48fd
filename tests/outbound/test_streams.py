"""Connections to receivers read little at once, and no more of one answer than is of use."""

from collections.abc import AsyncIterator, Iterator
from time import monotonic  # noqa: TID251 - the attempt's deadline needs a real clock

import httpcore
import pytest

from service.domain.deliveries import AttemptError
from service.outbound import WebhookNetwork, WebhookSender
from service.outbound.streams import AnswerTooLong, BoundedStream
from tests.support.receivers import URL, Receivers


@pytest.fixture
def net() -> Receivers:
    return Receivers()


@pytest.fixture
async def sender(net: Receivers) -> AsyncIterator[WebhookSender]:
    _, found = WebhookNetwork(net.resolve, net, seconds=5.0).open((), monotonic)
    yield found
    await found.close()


class Endless(httpcore.AsyncNetworkStream):
    """A connection on which something always arrives; `asked` is how much was asked for at each read."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002
        self.asked.append(max_bytes)
        return b"x" * max_bytes

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Take everything."""


async def read_all(stream: BoundedStream) -> int:
    """How much was read until it raised."""
    read = 0
    try:
        while True:
            read += len(await stream.read(65_536))
    except AnswerTooLong:
        return read


async def test_of_one_answer_128_kilobytes_are_read_in_pieces_of_eight() -> None:
    inner = Endless()
    assert await read_all(BoundedStream(inner)) == 128 * 1024
    assert inner.asked == [8 * 1024] * 16


async def test_the_answer_to_the_next_request_is_counted_by_itself() -> None:
    stream = BoundedStream(Endless())
    for _ in range(3):
        await stream.write(b"POST")
        assert await read_all(stream) == 128 * 1024


async def test_no_more_is_read_than_was_asked_for() -> None:
    assert await BoundedStream(Endless()).read(10) == b"x" * 10


@pytest.mark.parametrize("head", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"])
async def test_endless_informational_answers_are_no_answer(net: Receivers, sender: WebhookSender, head: bytes) -> None:
    read = 0

    def parts() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += len(head) * 100
            yield head * 100

    net.main.answer = lambda _: parts()
    assert (await sender.post(URL, {}, b"{}")).error is AttemptError.INVALID
    assert read < 140_000


async def test_an_informational_answer_and_a_long_head_come_before_the_answer(
    net: Receivers, sender: WebhookSender
) -> None:
    hints = [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 5
    lines = [b"X-Long: " + b"x" * 8000 + b"\r\n"] * 11
    net.main.answer = lambda _: [*hints, b"HTTP/1.1 200 OK\r\n", *lines, b"Content-Length: 2\r\n\r\nok"]
    answer = await sender.post(URL, {}, b"{}")
    assert (answer.status, answer.start) == (200, "ok")
