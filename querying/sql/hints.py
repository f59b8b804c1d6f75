"""What to write instead of what is refused. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NODE_NAMES: Final[Mapping[str, str]] = {
    "CreateStmt": "CREATE TABLE",
    "CreateTableAsStmt": "CREATE TABLE AS",
    "CurrentOfExpr": "WHERE CURRENT OF",
    "DefineStmt": "CREATE",
    "DeleteStmt": "DELETE",
    "GrantRoleStmt": "GRANT",
    "GrantStmt": "GRANT or REVOKE",
    "IndexStmt": "CREATE INDEX",
    "InsertStmt": "INSERT",
    "IntoClause": "SELECT INTO",
    "LockStmt": "LOCK TABLE",
    "LockingClause": "A row lock (FOR UPDATE, FOR SHARE)",
    "MergeStmt": "MERGE",
    "ParamRef": "A parameter ($1)",
    "RenameStmt": "ALTER ... RENAME",
    "SetToDefault": "DEFAULT",
    "TransactionStmt": "Transaction control (BEGIN, COMMIT, ROLLBACK)",
    "UpdateStmt": "UPDATE",
    "VacuumStmt": "VACUUM or ANALYZE",
    "VariableSetStmt": "SET or RESET",
    "VariableShowStmt": "SHOW",
    "ViewStmt": "CREATE VIEW",
}

NODE_HINTS: Final[Mapping[str, str]] = {
    "CallStmt": "Procedures cannot be called; write a SELECT.",
    "CopyStmt": "Write a SELECT; its rows come back as the answer.",
    "CreateTableAsStmt": "Name the intermediate result in the query itself: WITH x AS (SELECT ...) SELECT ... FROM x.",
    "CreateStmt": "Name the intermediate result in the query itself: WITH x AS (SELECT ...) SELECT ... FROM x.",
    "DeclareCursorStmt": "Write the SELECT itself, with LIMIT and OFFSET to page.",
    "ExecuteStmt": "Write the SELECT itself, with its values in place.",
    "ParamRef": "Write the value in place of $1.",
    "PrepareStmt": "Write the SELECT itself, with its values in place.",
    "TransactionStmt": "Each query runs in a read-only transaction of its own; send the SELECT alone.",
    "VacuumStmt": "Write EXPLAIN SELECT ... for a plan; maintenance is the database owner's work.",
    "VariableSetStmt": "Settings are fixed; use AT TIME ZONE for times and LIMIT for fewer rows.",
    "VariableShowStmt": "Write SELECT current_setting('timezone') or SELECT version().",
    "ViewStmt": "Name the intermediate result in the query itself: WITH x AS (SELECT ...) SELECT ... FROM x.",
}

# Patterns of function names, the first that fits; what fits none gets the nearest allowed names.
FUNCTION_HINTS: Final[tuple[tuple[str, str], ...]] = (
    (r"pg_sleep.*", "Queries cannot wait; leave it out."),
    (
        r"pg_read.*|pg_ls_.*|pg_stat_file|lo_.*|lowrite|loread",
        "Files and large objects cannot be reached; query tables.",
    ),
    (r"dblink.*|postgres_fdw.*", "Other databases are datasets of their own; call list_datasets and query each."),
    (
        r"(query|table|schema|database|cursor)_to_xml.*|ts_stat|ts_rewrite|crosstab.*|connectby",
        "Queries inside text cannot be checked; write the query itself, with CASE or FILTER to pivot.",
    ),
    (r"nextval|setval|currval|lastval", "Sequences cannot be used; row_number() OVER (ORDER BY ...) numbers rows."),
    (r"set_config|setseed", "Settings are fixed; use AT TIME ZONE for times and LIMIT for fewer rows."),
    (r"pg_(try_)?advisory.*|pg_cancel.*|pg_terminate.*|pg_notify", "Queries only read; leave it out."),
    (
        r"pg_.*|to_reg.*|reg.*|has_.*|obj_description|col_description|shobj_description|format_type|txid_.*",
        "Call describe_dataset for tables, columns, types, keys and comments.",
    ),
    (r"inet_(client|server).*", "Addresses of servers are not shown; leave it out."),
)
