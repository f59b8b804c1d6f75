"""From an MCP request to the `Call` that services understand."""

from __future__ import annotations

from collections import OrderedDict
from uuid import uuid4

from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_access_token, get_http_headers, get_http_request
from mcp.types import Implementation

from config.errors import Unauthenticated
from datasets.access import Principal, principal_of
from logs_analytics.records import Client
from mcp_gateway.clients import identify
from querying.engine import Engine
from querying.services import Call

REMEMBERED = 10_000


class ClientMemory:
    """What older clients said at `initialize`, by key and user agent: without a session it is not said again."""

    def __init__(self) -> None:
        self._said: OrderedDict[tuple[str, str], Implementation] = OrderedDict()

    def remember(self, key: str, user_agent: str, info: Implementation) -> None:
        self._said[key, user_agent] = info
        self._said.move_to_end((key, user_agent))
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)

    def recall(self, key: str, user_agent: str) -> Implementation | None:
        return self._said.get((key, user_agent))


def current_prefix() -> str:
    token = get_access_token()
    return str(token.claims.get("prefix", "")) if token else ""


def current_user_agent() -> str:
    return get_http_headers(include_all=True).get("user-agent", "")[:300]


def build_call(context: Context, tool: str, *, engine: Engine, memory: ClientMemory) -> Call:
    """Who asks now; raises `Unauthenticated` where the key went away after the request came in."""
    prefix, user_agent = current_prefix(), current_user_agent()
    key = engine.catalog.keys.get(prefix)
    if key is None:
        raise Unauthenticated("This API key is not valid.")
    client = _client(context, prefix, user_agent, memory)
    request = get_http_request()
    return Call(
        principal=principal_of(key, client=client.name),
        door="mcp",
        tool=tool,
        client=client,
        request_id=uuid4().hex,
        session=request.headers.get("mcp-session-id", ""),
        address=request.client.host if request.client else "",
    )


def build_stranger_call(tool: str) -> Call:
    """A call whose key went away after the request came in: refused, and on the record under the key's name."""
    token = get_access_token()
    return Call(principal=Principal(key=token.client_id if token else ""), door="mcp", tool=tool)


def _client(context: Context, prefix: str, user_agent: str, memory: ClientMemory) -> Client:
    params = context.session.client_params
    said = params.client_info if params else memory.recall(prefix, user_agent)
    return identify(name=said.name if said else "", version=said.version if said else "", user_agent=user_agent)
