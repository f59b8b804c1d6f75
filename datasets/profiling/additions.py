"""What a database adds to PostgreSQL's own names, as its catalogue says. Knows asyncpg, not Django.

A dozen statements, whatever the number of objects. `search_path` has to be pg_catalog alone: then `format_type` and
its kin qualify every other name. 16384 is FirstNormalObjectId: what initdb made lies below it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from datasets.additions import Additions, CastSpec, OperatorSpec, RoutineName, TypeSpec

Row = Any  # Any: an asyncpg record
SQL_BODIES_SINCE = 14
TYPE_KINDS = {"b": "base", "c": "composite", "d": "domain", "e": "enum", "m": "multirange", "r": "range"}


@dataclass(frozen=True, slots=True)
class FoundRoutine:
    """A function that the database adds; `body_hash` changes with all that its call would run and pass."""

    schema: str
    name: str
    arguments: str
    kind: str
    returns: str
    returns_set: bool
    volatility: str
    language: str
    owner: str
    security_definer: bool
    extension: str
    comment: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class FoundAdditions:
    """`names` holds all but the routines, which a person has yet to judge."""

    names: Additions = field(default_factory=Additions)
    routines: tuple[FoundRoutine, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundView:
    """The queries of a view and of the views behind it, and what they run beyond PostgreSQL's own functions."""

    definitions: tuple[str, ...] = ()
    routines: tuple[RoutineName, ...] = ()


@dataclass(frozen=True, slots=True)
class Members:
    """Which extension an object belongs to, by catalogue and oid."""

    extensions: Mapping[tuple[str, int], str]

    def owner_of(self, catalogue: str, oid: int) -> str:
        return self.extensions.get((catalogue, oid), "")

    def added(self, catalogue: str) -> list[int]:
        """Members of what is not part of every database; an extension's object may lie below 16384."""
        return [oid for (owner, oid), name in self.extensions.items() if owner == catalogue and name != "plpgsql"]


@dataclass(slots=True)
class _Runs:
    """What a type's values run, each once and in the order of its finding."""

    routines: dict[RoutineName, None] = field(default_factory=dict)
    definitions: dict[str, None] = field(default_factory=dict)

    def add(self, other: _Runs) -> None:
        self.routines |= other.routines
        self.definitions |= other.definitions


async def fetch_members(connection: asyncpg.Connection) -> Members:
    rows = await connection.fetch(MEMBERS)
    return Members({(row["catalogue"], row["oid"]): row["extension"] for row in rows})


async def fetch_additions(connection: asyncpg.Connection, members: Members) -> FoundAdditions:
    return FoundAdditions(
        names=Additions(
            extensions={row["name"]: row["schema"] for row in await connection.fetch(EXTENSIONS)},
            operators=await _fetch_operators(connection, members),
            types=await _fetch_types(connection, members),
            casts=await _fetch_casts(connection, members),
        ),
        routines=await _fetch_routines(connection, members),
    )


async def fetch_views(connection: asyncpg.Connection, members: Members, views: list[int]) -> Mapping[int, FoundView]:
    """By oid; the views behind them count even where the role may not read them: a view reads as its owner."""
    behind: dict[int, list[int]] = defaultdict(list)
    for row in await connection.fetch(VIEWS_BEHIND, views):
        behind[row["root"]].append(row["view"])
    every = sorted({view for found in behind.values() for view in found})
    texts = {row["oid"]: row["definition"] for row in await connection.fetch(VIEW_DEFINITIONS, every)}
    runs: dict[int, set[RoutineName]] = defaultdict(set)
    for row in await connection.fetch(VIEW_ROUTINES, every, members.added("pg_proc")):
        runs[row["view"]].add((row["schema"], row["name"]))
    return {
        root: FoundView(
            definitions=tuple(texts[view] for view in found),
            routines=tuple(sorted({routine for view in found for routine in runs[view]})),
        )
        for root, found in behind.items()
    }


async def _fetch_routines(connection: asyncpg.Connection, members: Members) -> tuple[FoundRoutine, ...]:
    with_bodies = connection.get_server_version().major >= SQL_BODIES_SINCE
    statement = ROUTINES if with_bodies else ROUTINES.replace("pg_get_function_sqlbody(p.oid)", "NULL")
    rows = await connection.fetch(statement, members.added("pg_proc"))
    return tuple(
        FoundRoutine(
            extension=members.owner_of("pg_proc", row["oid"]),
            **{name: value for name, value in row.items() if name != "oid"},
        )
        for row in rows
    )


async def _fetch_operators(connection: asyncpg.Connection, members: Members) -> tuple[OperatorSpec, ...]:
    return tuple(
        OperatorSpec(
            schema=row["schema"],
            name=row["name"],
            left=row["left"],
            right=row["right"],
            routine=(row["routine_schema"], row["routine_name"]),
            extension=members.owner_of("pg_operator", row["oid"]),
        )
        for row in await connection.fetch(OPERATORS, members.added("pg_operator"))
    )


async def _fetch_casts(connection: asyncpg.Connection, members: Members) -> tuple[CastSpec, ...]:
    return tuple(
        CastSpec(
            source=row["source"],
            target=row["target"],
            context=row["context"],
            routine=(row["routine_schema"], row["routine_name"]),
            extension=members.owner_of("pg_cast", row["oid"]),
        )
        for row in await connection.fetch(CASTS, members.added("pg_cast"))
    )


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────
async def _fetch_types(connection: asyncpg.Connection, members: Members) -> tuple[TypeSpec, ...]:
    rows = {row["oid"]: row for row in await connection.fetch(TYPES, members.added("pg_type"))}
    own = await _fetch_runs(connection, list(rows), members)
    parts: dict[int, list[Row]] = defaultdict(list)
    for row in await connection.fetch(PARTS, list(rows)):
        parts[row["whole"]].append(row)
    return tuple(
        TypeSpec(
            schema=row["schema"],
            name=row["name"],
            kind=TYPE_KINDS[row["kind"]],
            base=_base_of(row, rows),
            routines=tuple((runs := _runs_of(oid, own, parts)).routines),
            definitions=tuple(runs.definitions),
            attributes=tuple(part["attribute"] for part in parts[oid] if part["attribute"]),
            extension=members.owner_of("pg_type", oid),
            written=row["written"],
        )
        for oid, row in rows.items()
        if row["listed"]
    )


async def _fetch_runs(connection: asyncpg.Connection, types: list[int], members: Members) -> dict[int, _Runs]:
    runs: dict[int, _Runs] = defaultdict(_Runs)
    for row in await connection.fetch(TYPE_ROUTINES, types, members.added("pg_proc")):
        runs[row["type"]].routines[row["schema"], row["name"]] = None
    for row in await connection.fetch(TYPE_CHECKS, types):
        runs[row["type"]].definitions[row["definition"]] = None
    return runs


def _runs_of(oid: int, own: Mapping[int, _Runs], parts: Mapping[int, Iterable[Row]]) -> _Runs:
    """A value runs what the values in it run: of a domain's base, of fields, of bounds, of elements."""
    found, waiting, seen = _Runs(), [oid], {oid}
    while waiting:
        part = waiting.pop(0)
        found.add(own.get(part, _Runs()))
        inner = [each["part"] for each in parts.get(part, ()) if each["part"] not in seen]
        seen.update(inner)
        waiting.extend(inner)
    return found


def _base_of(row: Row, rows: Mapping[int, Row]) -> str:
    while (inner := rows.get(row["base_oid"])) is not None and inner["kind"] == "d":
        row = inner
    return row["base"] or ""


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────
EXTENSIONS = """
SELECT e.extname::text AS name, n.nspname::text AS schema
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1
"""

MEMBERS = """
SELECT c.relname::text AS catalogue, d.objid AS oid, e.extname::text AS extension
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.classid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
AND d.classid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_cast'::regclass)
"""

# sha256, since md5() fails on servers in FIPS mode; ROW()::text quotes, so two parts cannot swap places.
# What an aggregate runs are functions of their own, so their hashes are part of its hash.
# A temporary function is its session's own, unless something that stays depends on it.
ROUTINES = """
WITH known AS (
    SELECT p.*, n.nspname, sha256(convert_to(ROW(
               p.prosrc, p.probin, pg_get_function_sqlbody(p.oid), p.proconfig, pg_get_function_arguments(p.oid),
               pg_get_function_result(p.oid), p.proisstrict, p.proleakproof, p.prosupport)::text,
               getdatabaseencoding()::name)) AS hashed
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE (p.oid >= 16384 OR p.oid = ANY ($1::oid[])) AND p.prokind <> 'p'
    AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
    AND (n.nspname !~ '^pg_(temp|toast)'
         OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid))
), aggregates AS (
    SELECT a.aggfnoid::oid AS oid, ROW(
               a.aggtransfn::regprocedure, a.aggfinalfn::regprocedure, a.aggcombinefn::regprocedure,
               a.aggserialfn::regprocedure, a.aggdeserialfn::regprocedure, a.aggmtransfn::regprocedure,
               a.aggminvtransfn::regprocedure, a.aggmfinalfn::regprocedure, a.aggsortop::regoperator,
               a.aggtranstype::regtype, a.aggmtranstype::regtype, a.agginitval, a.aggminitval)::text AS parts,
           (SELECT string_agg(k.hashed, '' ORDER BY k.oid) FROM known k
            WHERE k.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                            a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)) AS hashed
    FROM pg_aggregate a JOIN known k ON k.oid = a.aggfnoid
)
SELECT k.oid, k.nspname::text AS schema, k.proname::text AS name,
       pg_get_function_identity_arguments(k.oid) AS arguments,
       CASE k.prokind WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window' ELSE 'function' END AS kind,
       format_type(k.prorettype, NULL) AS returns, k.proretset AS returns_set,
       CASE k.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
       l.lanname::text AS language, pg_get_userbyid(k.proowner)::text AS owner, k.prosecdef AS security_definer,
       coalesce(obj_description(k.oid, 'pg_proc'), '') AS comment,
       encode(sha256(k.hashed || convert_to(coalesce(a.parts, ''), getdatabaseencoding()::name)
                     || coalesce(a.hashed, '')), 'hex') AS body_hash
FROM known k JOIN pg_language l ON l.oid = k.prolang LEFT JOIN aggregates a ON a.oid = k.oid
ORDER BY 2, 3, 4
"""

OPERATORS = """
SELECT o.oid, n.nspname::text AS schema, o.oprname::text AS name,
       CASE WHEN o.oprleft = 0 THEN '' ELSE format_type(o.oprleft, NULL) END AS left,
       CASE WHEN o.oprright = 0 THEN '' ELSE format_type(o.oprright, NULL) END AS right,
       pn.nspname::text AS routine_schema, p.proname::text AS routine_name
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE (o.oid >= 16384 OR o.oid = ANY ($1::oid[])) AND n.nspname !~ '^pg_temp'
ORDER BY 2, 3, 4, 5
"""

CASTS = """
SELECT c.oid, format_type(c.castsource, NULL) AS source, format_type(c.casttarget, NULL) AS target,
       CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END AS context,
       coalesce(n.nspname::text, '') AS routine_schema, coalesce(p.proname::text, '') AS routine_name
FROM pg_cast c LEFT JOIN pg_proc p ON p.oid = c.castfunc LEFT JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE c.oid >= 16384 OR c.oid = ANY ($1::oid[])
ORDER BY 2, 3
"""

# A table's row type counts where values of it are kept. A built-in type counts where somebody gave it a default order
# or hash, as is done for json: GROUP BY and DISTINCT find that without looking at names.
# Domains of information_schema are read too, since others may be made of them.
TYPES = """
WITH used AS (
    SELECT a.atttypid AS oid FROM pg_attribute a WHERE NOT a.attisdropped
    UNION SELECT d.typbasetype FROM pg_type d WHERE d.typtype = 'd'
    UNION SELECT r.rngsubtype FROM pg_range r
), ordered AS (
    SELECT k.opcintype AS oid FROM pg_opclass k JOIN pg_am m ON m.oid = k.opcmethod
    WHERE k.oid >= 16384 AND k.opcdefault AND m.amname IN ('btree', 'hash')
), known AS (
    SELECT t.*, (t.oid >= 16384 OR t.oid = ANY ($1::oid[]) OR t.oid IN (SELECT o.oid FROM ordered o)) AS listed
    FROM pg_type t
)
SELECT t.oid, n.nspname::text AS schema, t.typname::text AS name, t.typtype::text AS kind, t.listed,
       format_type(t.oid, NULL) AS written, t.typbasetype AS base_oid,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base
FROM known t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid LEFT JOIN pg_type element ON element.typarray = t.oid
WHERE (t.listed OR t.typtype = 'd') AND t.typtype IN ('b', 'c', 'd', 'e', 'm', 'r') AND element.oid IS NULL
AND n.nspname !~ '^pg_(temp|toast)'
AND (t.typtype <> 'c' OR c.relkind = 'c' OR t.oid IN (SELECT u.oid FROM used u)
     OR (t.typarray <> 0 AND t.typarray IN (SELECT u.oid FROM used u)))
ORDER BY 2, 3
"""

# what a type is made of, arrays as their elements; multiranges came with PostgreSQL 14
PARTS = """
SELECT made.whole, coalesce(element.oid, made.part) AS part, made.attribute
FROM (
    SELECT t.oid AS whole, t.typbasetype AS part, NULL AS attribute, 0 AS place FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL SELECT t.oid, a.atttypid, a.attname::text, a.attnum FROM pg_type t
              JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT r.rngtypid, r.rngsubtype, NULL, 0 FROM pg_range r
    UNION ALL SELECT (to_jsonb(r) ->> 'rngmultitypid')::oid, r.rngtypid, NULL, 0 FROM pg_range r
) made LEFT JOIN pg_type element ON element.typarray = made.part
WHERE made.whole = ANY ($1::oid[]) ORDER BY made.whole, made.place
"""

# functions of operator classes and their operators, of a base type's text and binary forms, of ranges and of CHECKs
TYPE_ROUTINES = """
WITH run AS (
    SELECT x.type, o.oprcode AS routine
    FROM pg_amop a JOIN pg_operator o ON o.oid = a.amopopr
    CROSS JOIN LATERAL (VALUES (a.amoplefttype), (a.amoprighttype)) x(type)
    UNION SELECT x.type, a.amproc
    FROM pg_amproc a CROSS JOIN LATERAL (VALUES (a.amproclefttype), (a.amprocrighttype)) x(type)
    UNION SELECT t.oid, x.routine FROM pg_type t
    CROSS JOIN LATERAL (VALUES (t.typinput), (t.typoutput), (t.typreceive), (t.typsend), (t.typmodin), (t.typmodout)
    ) x(routine)
    UNION SELECT r.rngtypid, x.routine
    FROM pg_range r CROSS JOIN LATERAL (VALUES (r.rngcanonical), (r.rngsubdiff)) x(routine)
    UNION SELECT r.rngtypid, x.routine FROM pg_range r JOIN pg_opclass k ON k.oid = r.rngsubopc
    CROSS JOIN LATERAL (
        SELECT o.oprcode AS routine FROM pg_amop a JOIN pg_operator o ON o.oid = a.amopopr
        WHERE a.amopfamily = k.opcfamily
        UNION ALL SELECT a.amproc FROM pg_amproc a WHERE a.amprocfamily = k.opcfamily) x
    UNION SELECT c.contypid, coalesce(o.oprcode, d.refobjid)
    FROM pg_constraint c JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    WHERE c.contypid <> 0 AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
)
SELECT DISTINCT r.type, n.nspname::text AS schema, p.proname::text AS name
FROM run r JOIN pg_proc p ON p.oid = r.routine JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE r.type = ANY ($1::oid[]) AND (p.oid >= 16384 OR p.oid = ANY ($2::oid[]))
ORDER BY 1, 2, 3
"""

TYPE_CHECKS = """
SELECT c.contypid AS type, pg_get_constraintdef(c.oid) AS definition
FROM pg_constraint c WHERE c.contype = 'c' AND c.contypid = ANY ($1::oid[]) ORDER BY c.contypid, c.conname
"""

# ev_type 1 is SELECT; the view itself comes first
VIEWS_BEHIND = """
WITH RECURSIVE behind(root, view) AS (
    SELECT v, v FROM unnest($1::oid[]) v
    UNION
    SELECT b.root, c.oid FROM behind b
    JOIN pg_rewrite r ON r.ev_class = b.view AND r.ev_type = '1'
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'
)
SELECT root, view FROM behind ORDER BY root, view <> root, view
"""

VIEW_DEFINITIONS = "SELECT v AS oid, pg_get_viewdef(v) AS definition FROM unnest($1::oid[]) v"

VIEW_ROUTINES = """
SELECT DISTINCT r.ev_class AS view, n.nspname::text AS schema, p.proname::text AS name
FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
JOIN pg_proc p ON p.oid = CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE r.ev_class = ANY ($1::oid[]) AND r.ev_type = '1' AND (p.oid >= 16384 OR p.oid = ANY ($2::oid[]))
"""
