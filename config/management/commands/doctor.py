from __future__ import annotations

import asyncio
import sys
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import Error as DatabaseError

from config.errors import GatewayError
from config.management.base import GatewayCommand
from datasets.catalog import EMPTY
from datasets.credentials import open_target
from datasets.health import Part, State, check_catalog, check_parts
from datasets.lifecycle import Status
from datasets.models import Dataset
from datasets.preflight import run_preflight
from datasets.publishing import load_catalog


class Command(GatewayCommand):
    help = (
        "Check keys, databases, broker, worker, catalog and every dataset's connection; say how to mend what is wrong."
    )
    requires_migrations_checks = False

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        datasets = self._load_datasets()
        parts = [*check_parts(), self._check_catalog(), check_connections(len(datasets))]
        parts += async_to_sync(_check_all)(datasets)
        failing = [part for part in parts if part.state is State.FAILING]
        lines = [
            f"[{part.state}] {part.name}"
            + (f": {part.detail}" if part.detail else "")
            + (f"\n    {part.hint}" if part.hint else "")
            for part in parts
        ]
        verdict = (
            "Everything works." if all(part.state is State.OK for part in parts) else "See above for what to mend."
        )
        self.show(
            {
                "ok": not failing,
                "parts": [{"name": p.name, "state": p.state, "detail": p.detail, "hint": p.hint} for p in parts],
            },
            "\n".join([*lines, verdict]),
            as_json=options["json"],
        )
        if failing:
            sys.exit(1)

    def _check_catalog(self) -> Part:
        try:
            return check_catalog(load_catalog(EMPTY), "")
        except (DatabaseError, GatewayError, KeyError, TypeError, ValueError) as error:
            return Part(
                "catalog", State.FAILING, f"cannot be loaded ({type(error).__name__})", "See docs/operations.md."
            )

    def _load_datasets(self) -> list[Dataset]:
        try:
            return list(Dataset.objects.filter(deleted_at=None).order_by("name"))
        except DatabaseError:
            return []


def check_connections(datasets: int) -> Part:
    """How the connections that datasets may have compare with the budget; above it idle ones give way."""
    processes, size, budget = settings.WEB_CONCURRENCY, settings.POOL_SIZE, settings.CONNECTION_BUDGET
    wanted = processes * datasets * size
    detail = f"{processes} web processes x {datasets} datasets x {size} = {wanted} at most, of {budget}"
    hint = "They share: idle ones are closed for those in need. Raise CONNECTION_BUDGET if the servers admit more."
    return Part("connections", State.OK, detail, hint if wanted > budget else "")


async def _check_all(datasets: list[Dataset]) -> list[Part]:
    return list(await asyncio.gather(*(_check_dataset(dataset) for dataset in datasets)))


async def _check_dataset(dataset: Dataset) -> Part:
    name = f"dataset {dataset.name}"
    try:
        target = open_target(dataset.connection)
        preflight = await run_preflight(target, local_allowed=settings.LOCAL_ADDRESSES_ALLOWED)
    except GatewayError as error:
        return Part(name, State.FAILING, f"{error.code}: {error.message}", error.hint)
    if preflight.blocked and not dataset.unsafe_role_allowed_by:
        first = preflight.blocked[0]
        return Part(name, State.DEGRADED, f"role_unsafe: {first.label.lower()}: {first.detail}", first.hint)
    if dataset.status == Status.ERROR:
        return Part(name, State.DEGRADED, f"{dataset.status_code}: {dataset.status_reason}", "Profile it again.")
    return Part(name, State.OK, f"{dataset.status}, connection works")
