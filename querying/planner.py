"""Plans kept for questions that are asked again, and datasets kept as each kind of caller sees them. Pure.

A key holds all that a plan depends on: the published entry, the caller's policies, the settings, the text. Nothing is
ever invalidated; what is not used any more falls out.
"""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Final

from cachetools import LRUCache

from datasets.access import Principal
from datasets.catalog import DatasetSpec
from datasets.seen import as_seen_by, policy_key
from datasets.system_config import SystemSettings
from querying.sql.plan import QueryPlan, QueryRequest, build_plan

PLAN_BYTES: Final = 32 * 1024 * 1024
PLAN_OVERHEAD_BYTES: Final = 1_000
SEEN_DATASETS: Final = 1_000
Key = tuple[Hashable, ...]


class Planner:
    """One for a process. `hits` and `misses` count plans."""

    def __init__(self, *, plan_bytes: int = PLAN_BYTES) -> None:
        self._plans: LRUCache[Key, QueryPlan] = LRUCache(plan_bytes, getsizeof=size_of)
        self._seen: LRUCache[Key, DatasetSpec] = LRUCache(SEEN_DATASETS)
        self._lock = Lock()  # long statements are planned in threads
        self.hits = self.misses = 0

    def see(self, dataset: DatasetSpec, principal: Principal, settings: SystemSettings) -> DatasetSpec:
        """The dataset with this caller's policies and merged classes applied."""
        key = seen_key(dataset, principal, settings)
        with self._lock:
            found = self._seen.get(key)
        if found is None:
            found = as_seen_by(principal, dataset, merges=settings.weighting_rules.merges)
            with self._lock:
                self._seen[key] = found
        return found

    def plan(
        self, request: QueryRequest, *, dataset: DatasetSpec, principal: Principal, settings: SystemSettings
    ) -> QueryPlan:
        """The plan of a question to a dataset as published; raises as `build_plan` does, and keeps no refusal."""
        key = plan_key(request, seen_key(dataset, principal, settings), settings)
        with self._lock:
            found = self._plans.get(key)
            self.hits, self.misses = self.hits + (found is not None), self.misses + (found is None)
        if found is not None:
            return found
        seen = self.see(dataset, principal, settings)
        plan = build_plan(request, dataset=seen, principal=principal, settings=settings)
        if size_of(plan) <= self._plans.maxsize:
            with self._lock:
                self._plans[key] = plan
        return plan


def plan_key(request: QueryRequest, seen: Key, settings: SystemSettings) -> Key:
    asked = request.sql, request.weighting, request.uncertainty, request.max_rows, request.reveal_all_rows
    return seen, settings.query_limits, asked


def seen_key(dataset: DatasetSpec, principal: Principal, settings: SystemSettings) -> Key:
    return dataset.entry_id, policy_key(dataset, principal), settings.weighting_rules.merges_text


def size_of(plan: QueryPlan) -> int:
    """Bytes, roughly: the caller's text in the key is about as long as the SQL."""
    return 2 * len(plan.sql) + PLAN_OVERHEAD_BYTES
