"""A question on its way through the passes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from postgast import pg_query_pb2 as pg

from datasets.access import Principal
from datasets.catalog import DatasetSpec
from datasets.system_config import SystemSettings
from querying.evidence import EvidencePlan
from querying.sql.parse import Statement
from querying.sql.scopes import Reading
from querying.sql.walk import unwrap
from querying.suppression import SuppressionPlan

RESERVED: Final = "_mcpa_"  # how names begin that only we may give


@dataclass(frozen=True)
class QueryRequest:
    """One question. `max_rows` can only lower the row limit; `reveal_all_rows` is for the operator."""

    dataset: str
    sql: str
    weighting: str = "auto"
    uncertainty: str = "auto"
    max_rows: int | None = None
    label: str = ""
    reveal_all_rows: bool = False


@dataclass(frozen=True)
class Draft:
    """The statement, whose tree the passes rewrite in place, and what they found out.

    `reading` holds the caller's own names and tables, as they were before govern replaced them. `search_path` holds
    schemas of extensions, in which PostgreSQL resolves `open_names` by the types of their operands.
    """

    request: QueryRequest
    dataset: DatasetSpec
    principal: Principal
    settings: SystemSettings
    statement: Statement
    messages: tuple[Any, ...] = ()  # Any: all of the statement's tree, as guard has walked it
    reading: Reading | None = None
    search_path: tuple[str, ...] = ()
    open_names: frozenset[str] = frozenset()
    printed: bool = False  # the statement is our own text
    query_type: str = ""
    weighting: str = ""
    weight_column: str = ""
    max_rows: int = 0
    tables: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    evidence: EvidencePlan | None = None
    suppression: SuppressionPlan | None = None

    @property
    def select(self) -> pg.SelectStmt:
        """The SELECT itself, also where it stands under EXPLAIN; guard admits nothing else."""
        root: Any = unwrap(self.statement.tree.stmts[0].stmt)  # Any: one of 270 message types
        return root.query.select_stmt if isinstance(root, pg.ExplainStmt) else root

    @property
    def is_explain(self) -> bool:
        return isinstance(unwrap(self.statement.tree.stmts[0].stmt), pg.ExplainStmt)

    @property
    def is_verbose(self) -> bool:
        """EXPLAIN with the option VERBOSE, whatever its value."""
        root: Any = unwrap(self.statement.tree.stmts[0].stmt)  # Any: one of 270 message types
        return isinstance(root, pg.ExplainStmt) and any(node.def_elem.defname == "verbose" for node in root.options)
