"""What surrounds every MCP call: remember who says who they are; nothing fails without a code and a record."""

from __future__ import annotations

import logging
from typing import Any

import mcp.types as mt
from fastmcp.exceptions import NotFoundError, ToolError, ValidationError
from fastmcp.server.context import Context
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from pydantic import ValidationError as ArgumentError

from config.errors import GatewayError, InternalError, InvalidRequest
from mcp_gateway.calls import ClientMemory, build_call, build_stranger_call, current_prefix, current_user_agent
from mcp_gateway.rendering import render_failure
from querying import services
from querying.engine import Engine

log = logging.getLogger(__name__)


class ClientMemoryMiddleware(Middleware):
    def __init__(self, memory: ClientMemory) -> None:
        self._memory = memory

    async def on_initialize(
        self,
        context: MiddlewareContext[mt.InitializeRequest],
        call_next: CallNext[mt.InitializeRequest, mt.InitializeResult | None],
    ) -> mt.InitializeResult | None:
        self._memory.remember(current_prefix(), current_user_agent(), context.message.params.client_info)
        return await call_next(context)


class FailureMiddleware(Middleware):
    """Maps what a tool never saw (bad arguments, an unknown name) or did not expect, once, for the whole door."""

    def __init__(self, engine: Engine, memory: ClientMemory) -> None:
        self._engine = engine
        self._memory = memory

    async def on_call_tool(
        self,
        context: MiddlewareContext[mt.CallToolRequestParams],
        call_next: CallNext[mt.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        try:
            return await call_next(context)
        except Exception as error:  # the door's mapper
            return await self._refuse(context, _translate(error, context.message.name))

    async def _refuse(self, context: MiddlewareContext[mt.CallToolRequestParams], error: GatewayError) -> ToolResult:
        assert isinstance(context.fastmcp_context, Context)
        tool = context.message.name[:60]
        try:
            call = build_call(context.fastmcp_context, tool, engine=self._engine, memory=self._memory)
        except GatewayError as unauthenticated:
            call, error = build_stranger_call(tool), unauthenticated
        answer = await services.refuse(call, error, engine=self._engine)
        return render_failure(answer)


def _translate(error: Exception, tool: str) -> GatewayError:
    if isinstance(error, ToolError) and isinstance(error.__cause__, GatewayError):
        return error.__cause__
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, NotFoundError):
        return InvalidRequest(f"There is no tool named {tool!r}.", hint="Call tools/list for the tools there are.")
    if isinstance(error, ValidationError | ArgumentError):
        cause = error if isinstance(error, ArgumentError) else error.__cause__
        faults = "; ".join(_fault(fault) for fault in cause.errors()) if isinstance(cause, ArgumentError) else ""
        return InvalidRequest(
            f"The arguments of {tool} are not valid{': ' + faults if faults else ''}.",
            hint="Correct them as the tool's input schema says and call it again.",
        )
    log.error("unexpected failure in tool %s", tool, exc_info=error)
    return InternalError("Something went wrong inside the server.")


def _fault(fault: Any) -> str:  # Any: pydantic's ErrorDetails
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"[:200]
