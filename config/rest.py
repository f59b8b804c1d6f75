"""What surrounds an operation of the REST door: keys, bodies, errors and the record.

Errors are problem documents (RFC 9457) that carry what `GatewayError.as_dict` says.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar
from uuid import uuid4

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from ninja.security import HttpBearer
from pydantic_core import from_json

from config.errors import GatewayError, InternalError, InvalidRequest, NotConfigured, Unauthenticated
from datasets.access import KeySpec, principal_of, verify_token
from mcp_gateway.clients import identify
from mcp_gateway.server import MAX_BODY_BYTES
from querying import services
from querying.engine import Engine
from querying.results import dump_json
from querying.services import Answer, Call

T = TypeVar("T")
Json = dict[str, Any]  # Any: JSON
Run = Callable[..., Awaitable[HttpResponse]]
PROBLEM_TYPE: Final = "application/problem+json"
log = logging.getLogger(__name__)


# ── what surrounds an operation ──────────────────────────────────────────────────────────────────────────────
class ApiKeyAuth(HttpBearer):
    """As the MCP door does it: against the catalog's snapshot, no database on this path."""

    async def __call__(self, request: HttpRequest) -> KeySpec | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return await self.authenticate(request, token.strip()) if scheme.lower() == self.openapi_scheme else None

    async def authenticate(self, request: HttpRequest, token: str) -> KeySpec | None:
        engine = engine_of(request)
        if engine.load_error and not engine.catalog.version:  # no key is known yet, so none is wrong
            raise NotConfigured("The catalog could not be loaded yet.", hint="See /readyz; try again in a few seconds.")
        return verify_token(token, engine.catalog.keys, now=datetime.now(UTC))


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:  # Any: JSON
        """Stricter than json: no NaN, no half of a surrogate pair."""
        if len(request.body) > MAX_BODY_BYTES:
            raise too_large()
        try:
            return from_json(request.body, allow_inf_nan=False)
        except ValueError as error:
            raise InvalidRequest("The body is not JSON in UTF-8.", hint="Send one JSON object.") from error


def too_large() -> InvalidRequest:
    return InvalidRequest(f"The body is larger than {MAX_BODY_BYTES:,} bytes.", hint="Send a shorter question.")


class ExactJson(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> str:  # Any: JSON with Decimals
        return dump_json(data)


class Refused(HttpResponse):
    """What an operation never saw or did not expect, on its way to `on_record`."""

    def __init__(self, error: GatewayError) -> None:
        super().__init__(status=error.status)
        self.error = error


class GatewayApi(NinjaAPI):
    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:  # Any: ninja's own
        """ninja's, where failures would have the media type of answers."""
        schema = super().get_openapi_schema(**options)
        for operation in (operation for path in schema["paths"].values() for operation in path.values()):
            for status, response in operation["responses"].items():
                if int(status) >= HTTPStatus.BAD_REQUEST:
                    response["content"] = {PROBLEM_TYPE: response["content"].pop("application/json")}
        return schema


def refuse(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """The door's mapper."""
    assert isinstance(error, Exception)  # ninja's type has its class too
    return Refused(translate(error, request.path))


def translate(error: Exception, path: str) -> GatewayError:
    cause = error.__cause__ if isinstance(error, HttpError) else error  # what a parser raised
    if isinstance(cause, GatewayError):
        return cause
    if isinstance(error, RequestDataTooBig):  # Django's own limit, far above ours
        return too_large()
    if isinstance(error, AuthenticationError):
        return Unauthenticated("The API key is missing or not valid.")
    if isinstance(error, ValidationError):
        faults = "; ".join(_fault(fault) for fault in error.errors)
        return InvalidRequest(
            f"The request is not valid: {faults}.", hint="Correct it as the schema at /api/docs says and send it again."
        )
    log.error("unexpected failure at %s", path, exc_info=error)
    return InternalError("Something went wrong inside the server.")


def _fault(fault: Json) -> str:
    place = ".".join(str(part) for part in fault["loc"][2:]) or "body"
    return f"{place}: {fault['msg']}"[:200]


def on_record(tool: str) -> Callable[[Run], Run]:
    """What was refused before the operation ran is in the query log too, unless nobody knows who asked."""

    def decorate(run: Run) -> Run:
        @wraps(run)
        async def recorded(request: HttpRequest, **arguments: Any) -> HttpResponse:  # Any: ninja's own
            response = await run(request, **arguments)
            if not isinstance(response, Refused):
                return response
            if getattr(request, "auth", None) is None:
                return render_problem(response.error)
            call = build_call(request, tool)
            return render_failure(await services.refuse(call, response.error, engine=engine_of(request)))

        return recorded

    return decorate


def engine_of(request: HttpRequest) -> Engine:
    engine: Engine | None = getattr(request, "scope", {}).get("engine")
    if engine is None:
        raise NotConfigured("This process has no engine.", hint="Serve config.asgi:application.")
    return engine


def build_call(request: HttpRequest, tool: str) -> Call:
    """Who asks now, of a request whose key was verified."""
    key: KeySpec = request.auth  # type: ignore[attr-defined]  # ninja puts there what authenticate returned
    client = identify(name="", version="", user_agent=request.headers.get("User-Agent", "")[:300])
    return Call(
        principal=principal_of(key, client=client.name),
        door="rest",
        tool=tool,
        client=client,
        request_id=uuid4().hex,
        address=request.META.get("REMOTE_ADDR") or "",
    )


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────
class Problem(Schema):
    """RFC 9457, with the members of every error of this server; `instance` is its row in the query log."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    code: str
    message: str
    hint: str
    retryable: bool
    context: Json | None = None


def problem_document(error: GatewayError, *, instance: str = "") -> Json:
    document = {
        "type": f"urn:mcp-analytics:error:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.message,
        **error.as_dict(),
    }
    return {**document, "instance": instance} if instance else document


def render_problem(error: GatewayError, *, instance: str = "") -> HttpResponse:
    body = dump_json(problem_document(error, instance=instance))
    response = HttpResponse(body, status=error.status, content_type=PROBLEM_TYPE)
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "2"
    return response


def render_failure(answer: Answer[T]) -> HttpResponse:
    assert answer.error is not None
    return render_problem(answer.error, instance=f"urn:uuid:{answer.id}")
