"""The sender: nothing that a receiver, a name server or the environment does leads it astray or holds it up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from time import monotonic, perf_counter  # noqa: TID251 - real sockets need a real clock

import pytest

from service.domain.deliveries import AttemptError
from service.outbound import ReceiverAnswer, WebhookNetwork, WebhookSender
from service.outbound.addresses import resolve
from tests.support.receivers import NAME, PUBLIC, URL, Post, Receiver, Receivers
from tests.support.silent_peer import silent_peer

HEADERS = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
BODY = b'{"type":"session.created"}'


@pytest.fixture
def net() -> Receivers:
    return Receivers()


@pytest.fixture
async def sender(net: Receivers) -> AsyncIterator[WebhookSender]:
    _, found = WebhookNetwork(net.resolve, net, seconds=0.3).open((), monotonic)
    yield found
    await found.close()


def answering(net: Receivers, answer: Callable[[Post], int | Iterable[bytes] | None]) -> None:
    net.main.answer = answer


async def post(sender: WebhookSender, url: str = URL) -> ReceiverAnswer:
    return await sender.post(url, HEADERS, BODY)


async def test_the_receiver_gets_the_headers_and_the_body(net: Receivers, sender: WebhookSender) -> None:
    answer = await post(sender)
    assert (answer.status, answer.error) == (204, None)
    (found,) = net.main.posts
    assert found.headers.items() >= HEADERS.items()
    assert (found.headers["content-type"], found.host, found.path) == ("application/json", NAME, "/magiclink")
    assert found.body == BODY


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("/hooks;tenant=acme", "/hooks;tenant=acme"),
        ("/hooks;v=1/x;y?a=1;b=2", "/hooks;v=1/x;y?a=1;b=2"),
        ("/hooks?", "/hooks?"),
        ("/a//b/%2F?c=%20&c=://d", "/a//b/%2F?c=%20&c=://d"),
        ("?key=1", "/?key=1"),
        ("", "/"),
    ],
)
async def test_path_and_query_arrive_as_the_host_wrote_them(
    net: Receivers, sender: WebhookSender, written: str, target: str
) -> None:
    for authority in (NAME, NAME.upper(), f"{NAME}:8443"):
        await post(sender, f"https://{authority}{written}")
    assert [one.path for one in net.main.posts] == [target] * 3
    assert [one.host for one in net.main.posts] == [NAME, NAME.upper(), f"{NAME}:8443"]
    assert net.connects == [(PUBLIC, 443), (PUBLIC, 443), (PUBLIC, 8443)]


async def test_the_connection_goes_to_the_address_that_was_checked(net: Receivers, sender: WebhookSender) -> None:
    await post(sender)
    assert net.connects == [(PUBLIC, 443)]


async def test_a_name_that_answers_differently_between_check_and_connect_reaches_nothing_inside(
    net: Receivers, sender: WebhookSender
) -> None:
    inner = net.at["169.254.169.254"] = Receiver()
    net.names[NAME] = [[PUBLIC], ["169.254.169.254"]]
    answer = await post(sender)
    assert (answer.status, answer.error) == (None, AttemptError.BLOCKED)
    assert (net.connects, inner.posts) == ([], [])


async def test_a_name_that_moves_into_the_operators_network_after_the_check_shows_no_answer(net: Receivers) -> None:
    inner = net.at["10.0.0.7"] = Receiver()
    inner.answer = lambda _: [b"HTTP/1.1 500 No\r\nContent-Length: 6\r\n\r\nsecret"]
    net.names[NAME] = [[PUBLIC], ["10.0.0.7"]]
    _, sender = WebhookNetwork(net.resolve, net, seconds=0.3).open(("10.0.0.0/8",), monotonic)
    answer = await post(sender)
    await sender.close()
    assert net.connects == [("10.0.0.7", 443)]
    assert (answer.status, answer.start) == (500, None)


async def test_a_name_that_changes_while_a_connection_is_open_is_checked_again(
    net: Receivers, sender: WebhookSender
) -> None:
    answering(net, lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    assert (await post(sender)).status == 200
    net.names[NAME] = [["10.0.0.1"]]
    assert (await post(sender)).error is AttemptError.BLOCKED
    assert len(net.main.posts) == 1


async def test_http_is_refused_where_the_operator_lists_no_network(net: Receivers, sender: WebhookSender) -> None:
    assert (await post(sender, URL.replace("https", "http"))).error is AttemptError.BLOCKED
    assert net.connects == []


@pytest.mark.parametrize("names", [[["10.0.0.7"], [PUBLIC]], [["10.0.0.7", PUBLIC]]], ids=["moves", "has both"])
async def test_nothing_goes_to_a_public_address_without_encryption(net: Receivers, names: list[list[str]]) -> None:
    net.at["10.0.0.7"] = Receiver()
    _, sender = WebhookNetwork(net.resolve, net, seconds=0.3).open(("10.0.0.0/8",), monotonic)
    net.names[NAME] = [["10.0.0.7"]]
    assert (await post(sender, URL.replace("https", "http"))).status == 204
    await sender.close()
    net.names[NAME] = names
    _, sender = WebhookNetwork(net.resolve, net, seconds=0.3).open(("10.0.0.0/8",), monotonic)
    assert (await post(sender, URL.replace("https", "http"))).error is AttemptError.BLOCKED
    await sender.close()
    assert net.connects == [("10.0.0.7", 80)]


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "https://hooks.example.com/again", "/again"])
async def test_a_redirect_is_not_followed(net: Receivers, sender: WebhookSender, location: str) -> None:
    net.at["169.254.169.254"] = inner = Receiver()
    head = f"HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    answering(net, lambda _: [head])
    assert (await post(sender)).status == 307
    assert (len(net.main.posts), inner.posts) == (1, [])


def endless(first: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield b"x" * 60_000


async def test_of_an_endless_answer_one_kilobyte_is_read(net: Receivers, sender: WebhookSender) -> None:
    answering(net, lambda _: endless(b"HTTP/1.1 200 OK\r\n\r\nstart "))
    answer = await post(sender)
    assert (answer.status, answer.start) == (200, ("start " + "x" * 2000)[:1024])


async def test_of_an_answer_of_a_gigabyte_one_kilobyte_is_read(net: Receivers, sender: WebhookSender) -> None:
    read = 0

    def parts() -> Iterator[bytes]:
        nonlocal read
        for part in endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"):
            read += len(part)
            yield part

    answering(net, lambda _: parts())
    answer = await post(sender)
    assert (answer.status, len(answer.start or "")) == (200, 1024)
    assert read < 200_000


async def test_endless_headers_are_no_answer(net: Receivers, sender: WebhookSender) -> None:
    def parts() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-More: " + b"x" * 1000 + b"\r\n"

    answering(net, lambda _: parts())
    assert (await post(sender)).error is AttemptError.INVALID


async def test_a_receiver_that_takes_the_connection_and_says_nothing_is_given_up(
    net: Receivers, sender: WebhookSender
) -> None:
    net.main.is_silent = True
    began = perf_counter()
    answer = await post(sender)
    assert (answer.status, answer.error) == (None, AttemptError.TIMEOUT)
    assert 0.3 <= perf_counter() - began < 5


async def test_a_receiver_that_never_completes_the_handshake_keeps_no_connection() -> None:
    async with silent_peer() as peer:
        _, sender = WebhookNetwork(resolve, seconds=0.3).open(("127.0.0.0/8",), monotonic)
        url = f"https://127.0.0.1:{peer.port}/hooks"
        answers = await asyncio.gather(*(post(sender, url) for _ in range(10)))
        await peer.all_closed()
        await sender.close()
    assert {answer.error for answer in answers} == {AttemptError.TIMEOUT}
    assert peer.accepted == 10


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_a_receiver_that_closes_early_has_not_answered(
    net: Receivers, sender: WebhookSender, start: bytes
) -> None:
    answering(net, lambda _: [start] if start else None)
    assert (await post(sender)).error is AttemptError.CLOSED


async def test_a_receiver_that_closes_in_the_body_has_answered(net: Receivers, sender: WebhookSender) -> None:
    answering(net, lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
    answer = await post(sender)
    assert (answer.status, answer.start) == (200, "half")


@pytest.mark.parametrize(("status", "start"), [(200, "half"), (200, ""), (503, "no")])
async def test_a_receiver_whose_body_stays_open_past_the_deadline_has_answered(
    net: Receivers, sender: WebhookSender, status: int, start: str
) -> None:
    def parts() -> Iterator[bytes]:
        net.main.is_silent = True  # from its next bytes on
        yield f"HTTP/1.1 {status} Answer\r\nContent-Length: 100\r\n\r\n{start}".encode()

    answering(net, lambda _: parts())
    answer = await post(sender)
    assert (answer.status, answer.error, answer.start) == (status, None, start)


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"\x16\x03\x01\x02\n\x01", b"HTTP/9.9 huh\r\n\r\n"])
async def test_what_is_not_http_is_an_invalid_answer(net: Receivers, sender: WebhookSender, raw: bytes) -> None:
    answering(net, lambda _: [raw])
    assert (await post(sender)).error is AttemptError.INVALID


async def test_an_answer_for_the_terminal_has_no_control_characters(net: Receivers, sender: WebhookSender) -> None:
    answering(net, lambda _: [b"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\n\x1b[31m\xffred\n"])
    assert (await post(sender)).start == "\ufffd[31m\ufffdred\n"


async def test_a_closed_port_and_an_unknown_name_are_told_apart(net: Receivers, sender: WebhookSender) -> None:
    net.at.clear()
    assert (await post(sender)).error is AttemptError.REFUSED
    net.names.clear()
    assert (await post(sender)).error is AttemptError.NO_NAME


async def test_the_next_address_is_tried_where_the_first_does_not_answer(net: Receivers, sender: WebhookSender) -> None:
    net.names[NAME] = [["93.184.215.99", PUBLIC]]
    assert (await post(sender)).status == 204
    assert [host for host, _ in net.connects] == ["93.184.215.99", PUBLIC]


async def test_the_next_address_is_tried_where_the_first_drops_every_packet(
    net: Receivers, sender: WebhookSender
) -> None:
    net.names[NAME] = [["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.99", PUBLIC]]
    net.dropping = {"2606:2800:21f:cb07:6820:80da:af6b:8b2c"}
    assert (await post(sender)).status == 204
    assert [host for host, _ in net.connects] == net.names[NAME][0]


async def test_an_only_address_that_drops_every_packet_has_all_the_time(net: Receivers, sender: WebhookSender) -> None:
    net.dropping = {PUBLIC}
    began = perf_counter()
    assert (await post(sender)).error is AttemptError.TIMEOUT
    assert perf_counter() - began >= 0.3
    assert net.connects == [(PUBLIC, 443)]


async def test_an_error_of_our_own_is_no_answer_of_the_receiver(net: Receivers, sender: WebhookSender) -> None:
    answering(net, lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await post(sender)


@asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A receiver on a real socket of this machine."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            got.append(await reader.read(100))
            writer.write(answer)
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], got


async def test_no_proxy_of_the_environment_is_used_and_no_answer_of_the_operators_network_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening(b"HTTP/1.1 500 No\r\nContent-Length: 6\r\n\r\nsecret") as (port, got):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        _, sender = WebhookNetwork(resolve).open(("127.0.0.0/8", "::1/128"), monotonic)
        answer = await post(sender, f"http://127.0.0.1:{port}/hooks")
        await sender.close()
    assert (answer.status, answer.start) == (500, None)
    assert got[0].startswith(b"POST /hooks HTTP/1.1\r\n")


async def test_a_receiver_that_speaks_no_tls_is_told() -> None:
    async with listening(b"HTTP/1.1 400 No\r\n\r\n") as (port, _):
        _, sender = WebhookNetwork(resolve).open(("127.0.0.0/8",), monotonic)
        answer = await post(sender, f"https://127.0.0.1:{port}/hooks")
        await sender.close()
    assert answer.error in {AttemptError.TLS, AttemptError.REFUSED}
