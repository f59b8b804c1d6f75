"""Posting JSON to an address that somebody configured. Knows no Django."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from config.errors import DeliveryFailed, HostRefused
from datasets.network import resolve_allowed

TIMEOUT_S: Final = 10.0
VERIFY = ssl.create_default_context()


async def post_json(url: str, value: dict[str, Any], *, local_allowed: bool) -> None:  # Any: JSON
    """Returns where it is answered with 2xx. Raises `DeliveryFailed`, or what `resolve_allowed` does.

    Redirects are not followed: where they lead was not checked. The answer's body is not read.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not local_allowed:
        raise HostRefused("The webhook's address does not start with https://.", hint="Messages name your tables.")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            port = parts.port or {"https": 443, "http": 80}[parts.scheme]
            address = await resolve_allowed(host, port, local_allowed=local_allowed)
            await _post(httpx.URL(url), host, address, value)
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        # no text of the error: it names the address
        raise DeliveryFailed(f"The webhook at {host} did not take the message ({type(error).__name__}).") from None


async def _post(url: httpx.URL, host: str, address: str, value: dict[str, Any]) -> None:  # Any: JSON
    """To the address that was checked, with the name in its certificate and its requests."""
    async with httpx.AsyncClient(verify=VERIFY, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            json=value,
            headers={"Host": url.netloc.decode(), "User-Agent": "mcp-analytics"},
            extensions={"sni_hostname": host},
        )
        answer = await client.send(request, stream=True)
        await answer.aclose()
    if not answer.is_success:
        raise DeliveryFailed(f"The webhook at {host} answered with {answer.status_code}.")
