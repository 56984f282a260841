"""Where a webhook may go: judged by the address, not by how it is written."""

from __future__ import annotations

import pytest

from monitor.net.guard import AddressDenied, GuardedResolver, address_problem, url_problem
from monitor.net.lookup import Lookup

HOSTILE = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "https:///path",
    "https://",
    "//example.com/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://10.0.0.1/",
    "https://172.16.5.4/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://0.0.0.0/",
    "https://198.18.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[ff02::1]/",
    "https://[fec0::1]/",
    "https://[127.0.0.1]/",
    "https://user@example.com/",
    "https://example.com@127.0.0.1/",
    "https://user:secret@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com\t/",
    "https://exam ple.com/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com/#part",
    "https://①②⑦.⓪.⓪.①/",
    "https://example。com/",
    "https://-example.com/",
    "https://example..com/",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused_without_being_looked_up(url):
    assert url_problem(url) is not None


@pytest.mark.parametrize("url", ["https://hooks.example.com/a?b=c", "https://8.8.8.8/", "https://[2606:4700::1]:8443/"])
def test_a_public_https_url_passes(url):
    assert url_problem(url) is None


def test_what_is_wrong_is_said_without_the_path_or_the_user():
    problem = url_problem("https://canary:canary@10.0.0.1/canary?canary") or ""
    assert "user information" in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/hook", "http://[::1]/", "http://localhost/", "http://127.9.9.9/"]
)
def test_plain_http_goes_to_loopback_with_the_switch_and_only_with_it(url):
    assert url_problem(url, allow_http_loopback=True) is None
    assert "allow_http_loopback" in (url_problem(url, allow_private=True) or "")


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.0.9", "172.31.0.1", "100.64.0.1", "127.0.0.1", "::1", "fd00::1"]
)
def test_private_addresses_are_opened_by_allow_private_over_https_only(address):
    assert "allow_private" in (address_problem(address) or "")
    assert address_problem(address, allow_private=True) is None


@pytest.mark.parametrize("address", ["10.0.0.1", "8.8.8.8", "fd00::1"])
def test_plain_http_never_leaves_loopback(address):
    assert address_problem(address, plain_http=True, allow_private=True) is not None


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "240.0.0.1", "127.1", ""]
)
def test_some_addresses_are_never_a_receiver(address):
    assert address_problem(address, allow_private=True) is not None


class Answers(Lookup):
    """A name server that gives one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self._answers = list(answers)

    async def addresses(self, host: str, port: int) -> list[str]:
        return self._answers.pop(0)


async def test_one_denied_address_among_good_ones_denies_the_name():
    resolver = GuardedResolver(Answers(["8.8.8.8", "10.0.0.1"]), plain_http=False, allow_private=False)
    with pytest.raises(AddressDenied, match="private"):
        await resolver.resolve("hooks.example.com", 443)


async def test_a_name_that_alternates_between_public_and_private_is_judged_at_every_lookup():
    resolver = GuardedResolver(Answers(["8.8.8.8"], ["127.0.0.1"], ["8.8.4.4"]), plain_http=False, allow_private=False)
    assert [row["host"] for row in await resolver.resolve("rebind.example.com", 443)] == ["8.8.8.8"]
    with pytest.raises(AddressDenied):
        await resolver.resolve("rebind.example.com", 443)
    assert [row["host"] for row in await resolver.resolve("rebind.example.com", 443)] == ["8.8.4.4"]


async def test_the_systems_own_answer_is_judged_too():
    """What the resolver of the system makes of a number in disguise is loopback, and is seen to be."""
    resolver = GuardedResolver(Lookup(), plain_http=False, allow_private=False)
    for name in ("localhost", "0x7f.1"):
        with pytest.raises(AddressDenied, match="loopback"):
            await resolver.resolve(name, 443)


async def test_a_name_without_an_address_is_a_failed_lookup():
    with pytest.raises(OSError, match="no address"):
        await GuardedResolver(Answers([]), plain_http=False, allow_private=False).resolve("a.example", 443)
