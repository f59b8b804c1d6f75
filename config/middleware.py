"""What comes before everything else of the web door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from config.views import healthz, readyz

View = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
PAGES: dict[str, View] = {"/healthz": healthz, "/readyz": readyz}


class HealthMiddleware:
    """Answers probes before the Host header is checked and before HTTPS is asked for: they come by address."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return await PAGES.get(request.path, self._get_response)(request)
