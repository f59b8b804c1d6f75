"""Which hosts this server connects to for others: no address of its own machine, nor one that only machines of a cloud
may ask. Knows no Django.

A name is looked up once, and the address that was checked is the one to connect to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator

from config.errors import HostRefused, SourceDnsFailed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# 0.1.2.3 may be this machine; what the second stands for is each network's own affair
REFUSED = (ipaddress.IPv4Network("0.0.0.0/8"), ipaddress.IPv6Network("64:ff9b:1::/48"))
# where clouds tell machines their secrets: Alibaba, Azure, Oracle, AWS, Google; most others are link-local
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
LOOKUP_TIMEOUT_S = 5.0


async def resolve_allowed(host: str, port: int, *, local_allowed: bool) -> str:
    """The address to connect to. Raises `HostRefused`, where any address of the name is one, or `SourceDnsFailed`."""
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        raise SourceDnsFailed(f"The host name {host} cannot be resolved.") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not local_allowed and any(is_refused(address) for address in addresses):
        # which address it is would tell of the network behind
        raise HostRefused(f"{host} is not a host that this server may connect to.")
    return addresses[0]


def is_refused(address: str) -> bool:
    return any(_is_local(meant) for meant in _meanings(ipaddress.ip_address(address.partition("%")[0])))


def _is_local(address: Address) -> bool:
    """Of one machine, one cable, or many receivers; private networks (10.0.0.0/8 ...) are where databases live."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
        or address in METADATA
        or any(address in network for network in REFUSED)
    )


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 one that it stands for: ::ffff:127.0.0.1, 2002:7f00:1::, 64:ff9b::7f00:1, Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and address in NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    # NAT64 and mapped addresses count as reserved themselves; what they stand for decides
    yield inner or address
