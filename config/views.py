"""Health pages: alive, and ready part by part. They name states, never hosts or users."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from datasets.health import Part, State, check_catalog, check_parts
from querying.engine import Engine


@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
async def readyz(request: HttpRequest) -> JsonResponse:
    """200 while questions can be answered (status ok or degraded), 503 otherwise, with the state of each part."""
    parts = [*await sync_to_async(check_parts)(), await _check_catalog(request)]
    worst = max((part.state for part in parts), key=list(State).index)
    return JsonResponse(
        {"status": worst, "parts": {part.name: _shown(part) for part in parts}},
        status=503 if worst is State.FAILING else 200,
    )


async def _check_catalog(request: HttpRequest) -> Part:
    engine: Engine | None = getattr(request, "scope", {}).get("engine")
    if engine is None:
        return Part("catalog", State.FAILING, "this process has no engine", "Serve config.asgi:application.")
    return check_catalog(engine.catalog, engine.load_error)


def _shown(part: Part) -> dict[str, str]:
    return {"state": part.state, "detail": part.detail, **({"hint": part.hint} if part.hint else {})}
