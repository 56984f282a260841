"""Name lookups in threads of their own."""

import asyncio
import socket
import threading

import pytest

from monitor.net.lookup import Lookup


@pytest.fixture
def stuck(monkeypatch):
    """A resolver of the system that does not answer until it is released."""
    release = threading.Event()

    def resolve(host, *_args, **_more):
        release.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield release
    release.set()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_not_looked_up(stuck, address):
    assert await Lookup().addresses(address, 1) == [address]


async def test_localhost_is_found():
    assert set(await Lookup().addresses("localhost", 80)) <= {"127.0.0.1", "::1"}


async def test_a_lookup_without_an_answer_fails_in_time(stuck):
    with pytest.raises(socket.gaierror, match="in time"):
        await Lookup(timeout_seconds=0.02).addresses("venue.example", 80)


async def test_stuck_lookups_do_not_hold_up_other_work_and_are_bounded(stuck):
    lookup = Lookup(timeout_seconds=0.02, at_once=2)
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="in time"):
            await lookup.addresses("venue.example", 80)
    with pytest.raises(socket.gaierror, match="still waiting"):
        await lookup.addresses("venue.example", 80)
    assert await asyncio.to_thread(lambda: 7) == 7


async def test_a_released_lookup_makes_room_again(stuck):
    lookup = Lookup(timeout_seconds=0.02, at_once=1)
    with pytest.raises(socket.gaierror):
        await lookup.addresses("venue.example", 80)
    stuck.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await lookup.addresses("venue.example", 80) == ["192.0.2.1"]
                break
            except socket.gaierror:
                await asyncio.sleep(0.005)


async def test_a_host_that_is_no_name_is_a_lookup_failure():
    with pytest.raises(socket.gaierror):
        await Lookup().addresses("a" * 300, 80)
