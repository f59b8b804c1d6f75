"""Posting JSON to an address that somebody configured. Knows no Django."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import httpx2

from config.errors import DeliveryFailed, HostRefused, SourceDnsFailed
from datasets.network import resolve_allowed

TIMEOUT_S: Final = 10.0
PORTS: Final = {"https": 443, "http": 80}


async def post_json(url: str, value: dict[str, Any], *, local_allowed: bool) -> None:  # Any: JSON
    """Returns where it is answered with 2xx. Raises `DeliveryFailed`, or `HostRefused`.

    Redirects are not followed: where they lead was not checked. The answer's body is not read.
    """
    try:
        target = httpx2.URL(url)
        # as it is looked up; httpx cannot decode every name that it takes
        host, port = target.raw_host.decode(), target.port or PORTS[target.scheme]
    except (httpx2.InvalidURL, ValueError, KeyError):
        raise DeliveryFailed("The webhook's address cannot be read.") from None
    if target.scheme != "https" and not local_allowed:
        raise HostRefused("The webhook's address does not start with https://.", hint="Messages name your tables.")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            address = await resolve_allowed(host, port, local_allowed=local_allowed)
            await _post(target, host, address, value)
    except SourceDnsFailed:
        raise DeliveryFailed(f"The webhook's host name {host} cannot be resolved.") from None
    except (httpx2.HTTPError, TimeoutError) as error:
        # no text of the error: it names the address
        raise DeliveryFailed(f"The webhook at {host} did not take the message ({type(error).__name__}).") from None


async def _post(target: httpx2.URL, host: str, address: str, value: dict[str, Any]) -> None:  # Any: JSON
    """To the address that was checked, with the name in its certificate and its requests."""
    async with httpx2.AsyncClient(
        # the system's authorities, as for databases: a company may have its own
        verify=ssl.create_default_context(),
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        request = client.build_request(
            "POST",
            target.copy_with(host=address),
            json=value,
            headers={"Host": target.netloc.decode(), "User-Agent": "mcp-analytics"},
            extensions={"sni_hostname": host},
        )
        answer = await client.send(request, stream=True)
        await answer.aclose()
    if not answer.is_success:
        raise DeliveryFailed(f"The webhook at {host} answered with {answer.status_code}.")
