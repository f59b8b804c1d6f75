"""Which hosts are connected to for others, however their addresses are written."""

from __future__ import annotations

import pytest

from config.errors import HostRefused, SourceDnsFailed
from datasets.network import is_refused, resolve_allowed

LOCAL = ["2130706433", "0x7f.1", "127.1", "127.0.0.1", "127.8.9.10", "::1", "localhost", "0.0.0.0", "0", "::"]
OTHER_REFUSED = [
    "169.254.169.254",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo: the client is 127.0.0.1
    "::127.0.0.1",
    "fe80::1",
    "ff02::1",
    "224.0.0.1",
    "255.255.255.255",
    "0.1.2.3",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
]
ALLOWED = [
    "10.1.2.3",
    "172.16.0.9",
    "192.168.1.5",
    "93.184.216.34",
    "2606:4700::1111",
    "fd12:3456::1",
    "::ffff:10.1.2.3",
    "64:ff9b::5db8:d822",
    "2002:5db8:d822::",
]


@pytest.mark.parametrize("host", [*LOCAL, *OTHER_REFUSED])
async def test_refuses_an_address_of_this_machine_or_its_cable_however_it_is_written(host: str) -> None:
    with pytest.raises(HostRefused) as caught:
        await resolve_allowed(host, 5432, local_allowed=False)

    assert caught.value.code == "host_refused"
    assert not caught.value.retryable


@pytest.mark.parametrize("host", ALLOWED)
async def test_admits_public_and_private_addresses(host: str) -> None:
    assert await resolve_allowed(host, 5432, local_allowed=False) == host


@pytest.mark.parametrize("host", ["127.1", "2130706433", "localhost", "127.0.0.1"])
async def test_admits_this_machine_where_local_addresses_are_allowed(host: str) -> None:
    assert await resolve_allowed(host, 5432, local_allowed=True) in {"127.0.0.1", "::1"}


async def test_says_nothing_of_the_address_behind_a_name() -> None:
    with pytest.raises(HostRefused) as caught:
        await resolve_allowed("localhost", 5432, local_allowed=False)

    assert "127.0.0.1" not in caught.value.message + caught.value.hint
    assert "::1" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("host", ["", "no-such-host.invalid", "a" * 64 + ".example.org", "exa mple.org"])
async def test_a_name_that_nobody_knows_is_told_as_that(host: str) -> None:
    with pytest.raises(SourceDnsFailed):
        await resolve_allowed(host, 5432, local_allowed=False)


def test_a_zone_does_not_hide_a_link_local_address() -> None:
    assert is_refused("fe80::1%eth0")
