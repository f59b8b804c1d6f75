"""From a caller's SQL to the SQL that is sent: the passes, then print, parse and guard again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import AccessError, InvalidRequest, QueryRefused
from datasets.access import Principal
from datasets.catalog import DatasetSpec
from datasets.system_config import SystemSettings
from querying.evidence import EvidencePlan
from querying.sql.bind import bind, check_bound
from querying.sql.draft import Draft, QueryRequest
from querying.sql.govern import check_governed, govern
from querying.sql.guard import guard
from querying.sql.limit import classify, limit
from querying.sql.parse import NOT_PRINTABLE, PLAINER, fingerprint, parse_printed, parse_statement, print_tree
from querying.sql.repeatable import is_repeatable
from querying.sql.walk import walk
from querying.sql.weigh import weigh
from querying.suppression import SuppressionPlan

__all__ = ["PASSES", "QueryPlan", "QueryRequest", "build_plan"]

UNSHAPED: Final = frozenset({pg.ParseResult, pg.RawStmt, pg.TypeCast, pg.TypeName})
WEIGHTING: Final = ("auto", "off")
UNCERTAINTY: Final = ("auto", "off")


@dataclass(frozen=True)
class QueryPlan:
    """What is sent and what was done.

    `query_type` is raw, aggregated or explain. `max_rows` rows are shown; the SQL asks for one more, so that a
    result of more than `max_rows` rows was cut by us, never by the caller's own LIMIT. `search_path` names the schemas
    that stand behind pg_catalog while it runs. A `repeatable` statement asks neither the clock nor chance. With
    `evidence` the statement's last output says what its estimates rest on; by `suppression` some of them are withheld.
    """

    sql: str
    fingerprint: str
    query_type: str
    weighting: str
    max_rows: int
    tables: tuple[str, ...]
    search_path: tuple[str, ...] = ()
    weight_column: str = ""
    warnings: tuple[str, ...] = ()
    repeatable: bool = False
    evidence: EvidencePlan | None = None
    suppression: SuppressionPlan | None = None


PASSES: Final[tuple[Callable[[Draft], Draft], ...]] = (guard, bind, govern, classify, weigh, limit)


def build_plan(
    request: QueryRequest, *, dataset: DatasetSpec, principal: Principal, settings: SystemSettings
) -> QueryPlan:
    """The plan of one question, in about 1 ms; raises a `RequestError` that says what to write instead."""
    check_request(request, principal)
    draft = Draft(request, dataset, principal, settings, parse_statement(request.sql))
    for apply in PASSES:
        draft = apply(draft)
    return seal(draft)


def seal(draft: Draft) -> QueryPlan:
    """Print, parse and guard again: what was checked is what runs."""
    sql = print_tree(draft.statement.tree)
    printed = guard(replace(draft, statement=parse_printed(sql), printed=True))
    check_printed(walk(draft.statement.tree), printed.messages)
    check_bound(printed)
    check_governed(printed)
    return QueryPlan(
        sql=sql,
        fingerprint=fingerprint(draft.request.sql),
        query_type=draft.query_type,
        weighting=draft.weighting,
        weight_column=draft.weight_column,
        max_rows=draft.max_rows,
        tables=draft.tables,
        search_path=draft.search_path,
        warnings=draft.warnings,
        repeatable=is_repeatable(printed.messages, draft.tables, draft.dataset),
        evidence=draft.evidence,
        suppression=draft.suppression,
    )


def check_printed(meant: Sequence[Message], printed: Sequence[Message]) -> None:
    """The text groups its parts as the tree does: a bracket that is lost in printing would change numbers."""
    if skeleton(meant) != skeleton(printed):
        raise QueryRefused(NOT_PRINTABLE, hint=PLAINER)


def skeleton(messages: Sequence[Message]) -> list[type[Message]]:
    """'t'::boolean is printed as true, so casts are left out."""
    return [kind for kind in map(type, messages) if kind not in UNSHAPED]


def check_request(request: QueryRequest, principal: Principal) -> None:
    if request.weighting not in WEIGHTING:
        raise InvalidRequest(f"weighting is {request.weighting!r}.", hint=f"It is one of {', '.join(WEIGHTING)}.")
    if request.uncertainty not in UNCERTAINTY:
        raise InvalidRequest(f"uncertainty is {request.uncertainty!r}.", hint=f"It is one of {', '.join(UNCERTAINTY)}.")
    if request.max_rows is not None and request.max_rows < 1:
        raise InvalidRequest(f"max_rows is {request.max_rows}.", hint="Leave it out, or ask for 1 row or more.")
    if request.reveal_all_rows and not principal.operator:
        raise AccessError("Only the operator may lift the limit of raw rows.", hint="Ask for aggregates instead.")
