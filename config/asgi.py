"""One ASGI application: MCP, Django and WebSockets, under daphne, uvicorn and granian."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not settings.CONFIGURED:
    raise ImproperlyConfigured("Set METADATA_DATABASE_URL and REDIS_URL, or start everything with `make run`.")
django_application = get_asgi_application()

# what follows imports models, which exist only once the application above does
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from config.errors import NotConfigured  # noqa: E402
from config.rest import PROBLEM_TYPE, problem_document  # noqa: E402
from config.urls import websocket_urlpatterns  # noqa: E402
from mcp_gateway.server import PATH, build_app  # noqa: E402
from querying.engine import Engine  # noqa: E402

log = logging.getLogger(__name__)
Message = dict[str, Any]  # Any: ASGI
COLLECTIONS = (20_000, 20, 100)  # objects, then collections, between those of each generation
API_PREFIX = "/api/v1/"
MCP_PREFIXES = (PATH + "/", "/.well-known/oauth-protected-resource")


class Application:
    """Routes each connection, and keeps the engine and the MCP server running between start and stop.

    Servers that send a lifespan (uvicorn, granian) start it there; daphne sends none, so the first connection does.
    If that fails, Django's pages still answer and the next connection tries again.
    """

    def __init__(self) -> None:
        self.engine = Engine()
        self._mcp = build_app(
            self.engine, allowed_hosts=settings.ALLOWED_HOSTS, allowed_origins=settings.ALLOWED_ORIGINS
        )
        self._web = ProtocolTypeRouter(
            {
                "http": django_application,
                "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
            }
        )
        self._started: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:  # Any: ASGI callables
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        is_http = scope["type"] == "http"
        is_mcp = is_http and (scope["path"] == PATH or scope["path"].startswith(MCP_PREFIXES))
        try:
            await self._ensure_started()
        except Exception:  # the pages that say what is wrong must stay reachable
            log.exception("the gateway could not start; the next connection tries again")
            if is_mcp or (is_http and scope["path"].startswith(API_PREFIX)):
                await _send_unavailable(send, as_problem=not is_mcp)
                return
        await (self._mcp if is_mcp else self._web)({**scope, "engine": self.engine}, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:  # Any: ASGI callables
        await receive()
        try:
            await self._ensure_started()
        except Exception as error:  # reported to the server, which decides
            log.exception("the gateway could not start")
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _ensure_started(self) -> None:
        if self._holder is None or self._holder.done():
            self._started = asyncio.get_running_loop().create_future()
            self._stopping.clear()
            self._holder = asyncio.create_task(self._hold(self._started), name="gateway")
            _stop_with_twisted(self)
        assert self._started is not None
        # shielded: the first client may leave while others wait for the same start
        await asyncio.shield(self._started)

    async def _hold(self, started: asyncio.Future[None]) -> None:
        # the MCP server's task group must be entered and left by one task, so this one holds it open
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(self.engine.stop)
                await self.engine.start()
                await stack.enter_async_context(self._mcp.lifespan(self._mcp))
                spare_the_collector()
                started.set_result(None)
                await self._stopping.wait()
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    async def stop(self) -> None:
        if self._holder is not None:
            self._stopping.set()
            await asyncio.gather(self._holder, return_exceptions=True)


def spare_the_collector() -> None:
    """What lives as long as the process is not searched for garbage again: a full collection took 150 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


def _stop_with_twisted(application: Application) -> None:
    """Under daphne, stop before the reactor does; other servers say so by their lifespan."""
    if "twisted.internet.reactor" not in sys.modules or "daphne.server" not in sys.modules:
        return
    reactor: Any = sys.modules["twisted.internet.reactor"]  # Any: twisted installs an instance as a module
    deferred: Any = sys.modules["twisted.internet.defer"]  # Any: as above
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: deferred.Deferred.fromFuture(asyncio.ensure_future(application.stop()))
    )


async def _send_unavailable(send: Any, *, as_problem: bool) -> None:  # Any: an ASGI callable
    error = NotConfigured("The gateway could not start.", hint="See /readyz and the log; try again in a few seconds.")
    body = json.dumps(problem_document(error) if as_problem else {"error": error.as_dict()}).encode()
    content_type = PROBLEM_TYPE if as_problem else "application/json"
    headers = [(b"content-type", content_type.encode()), (b"retry-after", b"2")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = Application()
