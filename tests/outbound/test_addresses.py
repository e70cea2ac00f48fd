"""The guard of addresses: what must not be reached from here, by every spelling that leads there."""

import pytest

from service.outbound.addresses import AddressGuard, BlockedAddress, UnknownName, is_public, resolve

PUBLIC = "93.184.215.14"
BLOCKED = {
    "loopback": "127.0.0.1",
    "another loopback": "127.8.9.10",
    "this host": "0.0.0.0",  # noqa: S104 - no server listens there
    "private, 10": "10.0.0.1",
    "private, 172.16": "172.16.0.1",
    "private, 192.168": "192.168.1.1",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "carrier NAT": "100.64.0.1",
    "metadata behind carrier NAT": "100.100.100.200",
    "a cloud's platform": "168.63.129.16",
    "benchmarks": "198.18.0.1",
    "documentation": "192.0.2.1",
    "protocol assignments": "192.0.0.8",
    "relays of 6to4": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 private": "fd00::1",
    "IPv6 metadata": "fd00:ec2::254",
    "IPv6 multicast": "ff02::1",
    "IPv6 documentation": "2001:db8::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped metadata": "::ffff:a9fe:a9fe",
    "IPv4-compatible": "::10.0.0.1",
    "NAT64": "64:ff9b::a00:1",
    "local NAT64": "64:ff9b:1::a00:1",
    "6to4": "2002:0a00:0001::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "IPv6 protocol assignments": "2001:1::1",
    "ORCHID": "2001:20::1",
    "IPv6 documentation, new": "3fff::1",
    "IPv6 documentation, its last": "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "site-local": "fec0::1",
    "site-local, its last": "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "segment routing": "5f00::1",
    "discard only": "100::1",
    "dummy": "100:0:0:1::1",
    "unassigned IPv6, below": "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "unassigned IPv6, above": "4000::1",
    "IPv4-translated": "::ffff:0:10.0.0.1",
    "IPv4-translated, a public one": "::ffff:0:93.184.215.14",
    "no address": "localhost",
}


def guard(*answers: str, networks: tuple[str, ...] = ()) -> AddressGuard:
    async def answer(_host: str, _port: int) -> list[str]:
        return list(answers)

    return AddressGuard(answer, networks)


@pytest.mark.parametrize("name", BLOCKED)
async def test_a_name_that_leads_to_it_is_blocked(name: str) -> None:
    assert not is_public(BLOCKED[name])
    with pytest.raises(BlockedAddress):
        await guard(BLOCKED[name]).addresses("hooks.example.com", 443)


@pytest.mark.parametrize("name", BLOCKED)
async def test_one_blocked_address_blocks_a_name_that_has_public_ones_too(name: str) -> None:
    with pytest.raises(BlockedAddress):
        await guard(PUBLIC, BLOCKED[name]).addresses("hooks.example.com", 443)


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "017700000001"])
async def test_the_systems_resolver_reads_odd_spellings_of_loopback_and_the_guard_blocks_them(spelling: str) -> None:
    with pytest.raises(BlockedAddress):
        await AddressGuard(resolve, ()).addresses(spelling, 443)


async def test_a_name_without_an_address_is_unknown() -> None:
    with pytest.raises(UnknownName):
        await guard().addresses("hooks.example.com", 443)
    assert await resolve("no-such-name.invalid", 443) == []
    assert await resolve("." * 300, 443) == []


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2001:200::1", "3fff:1000::1", "::ffff:93.184.215.14"],
)
async def test_a_public_address_is_reached(address: str) -> None:
    assert await guard(address).addresses("hooks.example.com", 443) == [address]


async def test_the_operators_networks_are_reached_and_no_other() -> None:
    listed = guard("127.0.0.1", "::ffff:127.0.0.1", networks=("127.0.0.0/8",))
    assert await listed.addresses("localhost", 80) == ["127.0.0.1", "::ffff:127.0.0.1"]
    assert listed.lists_networks
    assert listed.is_listed("127.0.0.1")
    assert not listed.is_listed("10.0.0.1")
    with pytest.raises(BlockedAddress):
        await guard("10.0.0.1", networks=("127.0.0.0/8",)).addresses("localhost", 80)
