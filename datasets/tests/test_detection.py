"""Roles of columns, inferred keys and proposed designs: of the demo databases, of other people's, of generated ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from config.embedded import make_password
from datasets.catalog import ColumnSpec, ForeignKey, TableSpec
from datasets.connections import parse_dsn
from datasets.demo.databases import DEMO_DATABASES, DemoDatabase, prepare_database, reader_dsn
from datasets.design_document import render_design
from datasets.design_fit import fit_text, plain_type
from datasets.policies import MOMENTS, NUMBERS, TEXTS
from datasets.profiling.category_orders import natural_order
from datasets.profiling.detection import (
    CATEGORY_ORDER,
    EVENT_DATE,
    MEASURE,
    PERSON_KEY,
    PSU_ROLE,
    STRATUM_ROLE,
    WEIGHT,
    Detection,
    detect,
)
from datasets.profiling.facts import MOST_COMMON, QUANTILES, SAMPLE, ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable, fetch_profile
from datasets.profiling.keys import FOREIGN, PRIMARY, Facts, InferredKey, containment_sql, infer_keys, name_of
from datasets.profiling.proposals import Proposal, propose_design
from datasets.tests.generated_schemas import generate, measure
from tests.servers import MakeDatabase, ReadonlyDsn

DESIGNS = Path(__file__).resolve().parents[1] / "demo" / "designs"
DECIDED = ("table", "key", "weight", "level", "scale", "kind", "strata", "psu", "carried_by", "period_weights")


@dataclass(frozen=True)
class Found:
    """A database's tables and the facts of all their rows."""

    dsn: str
    tables: tuple[FoundTable, ...]
    facts: Facts

    @property
    def detection(self) -> Detection:
        return detect(self.tables, self.facts)

    @property
    def proposal(self) -> Proposal | None:
        return propose_design(self.detection, self.tables, self.facts)

    def without_comments(self) -> Found:
        return Found(self.dsn, tuple(without_comments(table) for table in self.tables), self.facts)


def without_comments(table: FoundTable) -> FoundTable:
    return replace(table, comment="", columns=tuple(replace(column, comment="") for column in table.columns))


def without_keys(table: FoundTable) -> FoundTable:
    return replace(table, primary_key=(), unique_keys=(), foreign_keys=())


def look_at(dsn: str) -> Found:
    tables = asyncio.run(fetch_profile(parse_dsn(dsn, unix_sockets=False))).tables
    with psycopg.connect(dsn) as connection:
        return Found(dsn, tables, {name_of(table): read_facts(connection, table) for table in tables})


def read_facts(connection: psycopg.Connection, table: FoundTable) -> TableFacts:
    source = sql.Identifier(table.schema, table.name)
    ((rows,),) = fetch(connection, sql.SQL("SELECT count(*) FROM {}").format(source))
    columns = {column.name: read_column(connection, source, column, rows) for column in table.columns}
    return TableFacts(rows=rows, sampled=rows, columns=columns)


def read_column(connection: psycopg.Connection, source: sql.Identifier, column: FoundColumn, rows: int) -> ColumnFacts:
    names = {"c": sql.Identifier(column.name), "t": source}
    counts = "SELECT count({c}), count(DISTINCT {c}::text), min(length({c}::text)), max(length({c}::text)) FROM {t}"
    ((filled, distinct, shortest, longest),) = fetch(connection, sql.SQL(counts).format(**names))
    common = "SELECT {c}::text, count(*) FROM {t} WHERE {c} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {n}"
    usual = fetch(connection, sql.SQL(common).format(**names, n=sql.Literal(MOST_COMMON)))
    ends: Sequence[str | None] = [None] * (2 + len(QUANTILES))
    if plain_type(column.data_type) in NUMBERS | MOMENTS:
        shares = "percentile_disc({q}::float8[]) WITHIN GROUP (ORDER BY {c})::text[]"
        spans = f"SELECT ARRAY[min({{c}})::text, max({{c}})::text] || {shares} FROM {{t}}"
        ((ends,),) = fetch(connection, sql.SQL(spans).format(**names, q=sql.Literal(list(QUANTILES))))
    return ColumnFacts(
        source=SAMPLE,
        null_share=1 - filled / rows if rows else None,
        distinct=distinct,
        minimum=ends[0],
        maximum=ends[1],
        quantiles={share: text for share, text in zip(QUANTILES, ends[2:], strict=True) if text is not None},
        common=tuple(CommonValue(value, count / rows) for value, count in usual if count > 1),
        lengths=(shortest, (shortest + longest) / 2, longest)
        if filled and plain_type(column.data_type) in TEXTS
        else None,
    )


def fetch(connection: psycopg.Connection, query: str | sql.Composed) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode() if isinstance(query, str) else query).fetchall()


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return fetch(connection, query)


def specs(tables: Sequence[FoundTable]) -> tuple[TableSpec, ...]:
    return tuple(
        TableSpec(
            schema=table.schema,
            name=table.name,
            kind=table.kind,
            columns=tuple(ColumnSpec(column.name, column.data_type) for column in table.columns),
            primary_key=table.primary_key,
            unique_keys=table.unique_keys,
            foreign_keys=table.foreign_keys,
        )
        for table in tables
    )


def roles_of(detection: Detection, role: str) -> set[str]:
    return {f"{each.table[1]}.{each.column}" for each in detection.of_role(role)}


def proposed(found: Found) -> Proposal:
    proposal = found.proposal
    assert proposal is not None
    return proposal


def decided(document: dict[str, Any]) -> dict[str, Any]:
    (unit,) = document["units"]
    made = {name: unit[name] for name in DECIDED}
    if made["period_weights"]:
        made["period_weights"].setdefault("every", "month")
    return made


def shipped(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DESIGNS / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


# ── the demo databases ───────────────────────────────────────────────────────────────────────────────────────
class OwnDatabase(DemoDatabase):
    """Beside those that other tests load and drop."""

    @property
    def name(self) -> str:
        return f"detect_{self.folder}"


@pytest.fixture(scope="module")
def demos(postgres_superuser_dsn: str) -> Iterator[dict[str, Found]]:
    made = [OwnDatabase(demo.folder, demo.tables) for demo in DEMO_DATABASES]
    found = {}
    for demo in made:
        password = make_password()
        prepare_database(postgres_superuser_dsn, demo, reader_password=password)
        found[demo.folder] = look_at(reader_dsn(postgres_superuser_dsn, demo, reader_password=password))
    yield found
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        for demo in made:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(demo.name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(demo.reader)))


@pytest.mark.parametrize("folder", ["panel_in", "nhanes2009", "yrbs2015"])
@pytest.mark.parametrize("commented", [True, False])
def test_proposed_design_of_a_demo_is_the_shipped_one(demos: dict[str, Found], folder: str, commented: bool) -> None:
    found = demos[folder] if commented else demos[folder].without_comments()

    assert decided(proposed(found).document) == decided(shipped(folder))


@pytest.mark.parametrize("folder", ["panel_in", "nhanes2009", "yrbs2015"])
def test_proposed_attributes_of_a_demo_are_the_shipped_ones(demos: dict[str, Found], folder: str) -> None:
    (ours,), (theirs,) = proposed(demos[folder]).document["units"], shipped(folder)["units"]

    assert set(ours["attributes"]) == set(theirs["attributes"])


def test_weights_by_month_are_an_alternative_to_the_weights_of_all_months(demos: dict[str, Found]) -> None:
    (alternative,) = proposed(demos["panel_in"]).alternatives

    assert decided(alternative.document) == decided(shipped("panel_in_monthly"))
    assert "period" in alternative.why


@pytest.mark.parametrize("folder", ["panel_in", "nhanes2009", "yrbs2015"])
def test_proposals_can_be_read_as_designs(demos: dict[str, Found], folder: str) -> None:
    found = demos[folder]
    proposal = proposed(found)

    for document in (proposal.document, *(each.document for each in proposal.alternatives)):
        assert fit_text(render_design(document), specs(found.tables)).design.units


@pytest.mark.parametrize(
    ("folder", "efficiency"),
    [("panel_in", "public.panel_users"), ("nhanes2009", "public.nhanes_chol"), ("yrbs2015", "public.yrbs")],
)
def test_evidence_is_near_what_the_rows_say(demos: dict[str, Found], folder: str, efficiency: str) -> None:
    found = demos[folder]
    evidence = proposed(found).evidence[0]
    (check,) = [check for check in proposed(found).checks if check.name == "weights"]

    ((_, _, _, total, exact),) = ask(found.dsn, check.sql)

    assert efficiency == ".".join(evidence.table)
    assert evidence.total == pytest.approx(total, rel=0.1)
    assert evidence.efficiency == pytest.approx(exact, rel=0.15)


def test_checks_run_and_find_no_fault_in_the_panel(demos: dict[str, Found]) -> None:
    panel = demos["panel_in"]

    counts = {
        check.name: ask(panel.dsn, check.sql)[0][0] for check in proposed(panel).checks if check.name != "weights"
    }

    assert set(counts.values()) == {0}
    assert {"one_row_per_unit", "one_weight_per_unit", "orphans_of_public.panel_events"} <= counts.keys()


def test_panel_with_weights_by_month_alone_has_them_as_its_design(demos: dict[str, Found]) -> None:
    panel = demos["panel_in"]
    users = tuple(
        replace(each, columns=tuple(c for c in each.columns if (each.name, c.name) != ("panel_users", "weight")))
        for each in panel.tables
    )

    proposal = proposed(Found(panel.dsn, users, panel.facts))

    assert decided(proposal.document) == {**decided(shipped("panel_in_monthly")), "weight": None}
    assert {check.name for check in proposal.checks} >= {"one_weight_per_unit_and_period"}
    assert all(ask(panel.dsn, each.sql)[0][0] == 0 for each in proposal.checks if each.name != "weights")


def test_facts_without_values_of_persons_suffice(demos: dict[str, Found]) -> None:
    panel = demos["panel_in"]
    withheld = {
        name: replace(
            known,
            columns={
                column: found.without_values() if column == "user_id" else found
                for column, found in known.columns.items()
            },
        )
        for name, known in panel.facts.items()
    }

    assert decided(proposed(Found(panel.dsn, panel.tables, withheld)).document) == decided(shipped("panel_in"))


def test_roles_of_the_panel(demos: dict[str, Found]) -> None:
    detection = demos["panel_in"].detection

    assert roles_of(detection, WEIGHT) == {"panel_users.weight", "panel_weights_monthly.weight"}
    assert roles_of(detection, PERSON_KEY) == {
        "panel_users.user_id",
        "panel_events.user_id",
        "panel_weights_monthly.user_id",
    }
    assert roles_of(detection, EVENT_DATE) == {"panel_events.event_date"}
    orders = {each.column: each.order for each in detection.of_role(CATEGORY_ORDER)}
    assert orders["age_group"] == ("15-17", "18-24", "25-34", "35-44", "45-54", "55+")
    assert orders["nccs"] == ("A1", "A", "B", "C", "D", "E")
    assert orders["townclass"] == ("Rural", "<1L", "1-10L", "10-40L", "Metro 40L+")


@pytest.mark.parametrize(
    ("folder", "category"), [("panel_in", "mobile"), ("nhanes2009", "survey"), ("yrbs2015", "survey")]
)
def test_type_and_category_of_a_demo(demos: dict[str, Found], folder: str, category: str) -> None:
    detection = demos[folder].detection

    assert (detection.dataset_type.value, detection.data_category.value) == ("event_level", category)


def test_undeclared_keys_of_the_panel_are_inferred(demos: dict[str, Found]) -> None:
    panel = demos["panel_in"]
    bare = tuple(without_keys(table) for table in panel.tables)

    keys = infer_keys(bare, panel.facts)

    primary = {key.table[1]: key.columns for key in keys if key.kind == PRIMARY}
    assert primary == {"panel_users": ("user_id",), "panel_events": ("event_id",)}
    foreign = {(key.table[1], *key.columns, *key.references[1:]) for key in keys if key.kind == FOREIGN}
    assert foreign == {("panel_events", "user_id", "panel_users"), ("panel_weights_monthly", "user_id", "panel_users")}
    assert all(0.5 < key.confidence < 1 and key.reason.endswith(".") for key in keys)
    assert decided(proposed(Found(panel.dsn, bare, panel.facts)).document) == decided(shipped("panel_in"))


# ── other people's databases ─────────────────────────────────────────────────────────────────────────────────
PAGILA = """
CREATE TABLE film (film_id int PRIMARY KEY, title text, release_year int, rental_duration smallint,
    rental_rate numeric(4,2), length smallint, replacement_cost numeric(5,2), rating text, last_update timestamptz);
INSERT INTO film SELECT i, 'Film ' || i, 2000 + i % 6, 3 + i % 5, 0.99 + i % 3, 46 + i % 140, 9.99 + i % 20,
    (ARRAY['G', 'PG', 'R'])[1 + i % 3], '2022-01-01' FROM generate_series(1, 300) i;
CREATE TABLE customer (customer_id int PRIMARY KEY, first_name text, email text, activebool boolean, create_date date,
    last_update timestamptz);
INSERT INTO customer SELECT i, 'N' || i, i || '@example.org', i % 9 > 0, '2022-02-14', '2022-02-15'
    FROM generate_series(1, 200) i;
CREATE TABLE staff (staff_id int PRIMARY KEY, first_name text, last_update timestamptz);
INSERT INTO staff VALUES (1, 'Mike', now()), (2, 'Jon', now());
CREATE TABLE inventory (inventory_id int PRIMARY KEY, film_id int REFERENCES film, last_update timestamptz);
INSERT INTO inventory SELECT i, 1 + i % 300, '2022-02-15' FROM generate_series(1, 900) i;
CREATE TABLE rental (rental_id int PRIMARY KEY, rental_date timestamptz, inventory_id int REFERENCES inventory,
    customer_id int REFERENCES customer, return_date timestamptz,
    staff_id int REFERENCES staff, last_update timestamptz);
INSERT INTO rental SELECT i, timestamptz '2022-05-01' + i * interval '1 hour', 1 + i % 900, 1 + i % 200,
    timestamptz '2022-05-08' + i * interval '1 hour', 1 + i % 2, '2022-02-15' FROM generate_series(1, 2000) i;
CREATE TABLE payment (payment_id int PRIMARY KEY, customer_id int REFERENCES customer, staff_id int REFERENCES staff,
    rental_id int REFERENCES rental, amount numeric(5,2), payment_date timestamptz);
INSERT INTO payment SELECT i, 1 + i % 200, 1 + i % 2, i, 0.99 + i % 9, timestamptz '2022-05-01' + i * interval '1 hour'
    FROM generate_series(1, 2000) i;
ANALYZE
"""
RETAIL = """
CREATE TABLE products (id int PRIMARY KEY, sku text, price numeric(8,2), weight numeric(8,3), shipping_weight_kg real);
INSERT INTO products SELECT i, 'S' || i, i * 1.37, 0.1 + i * 0.83, i * 0.9 FROM generate_series(1, 400) i;
CREATE TABLE clients (id int, city text, signup_date date);
INSERT INTO clients SELECT i, (ARRAY['Oslo', 'Rome'])[1 + i % 2], date '2025-01-01' + i FROM generate_series(1, 150) i;
CREATE TABLE orders (id int, client_id int, product_id int, created_at timestamptz, ordered_on date, shipped_on date);
INSERT INTO orders SELECT i, 1 + i % 150, 1 + i % 400, timestamptz '2026-01-01' + i * interval '1 hour',
    date '2026-01-01' + i % 80, date '2026-01-04' + i % 80 FROM generate_series(1, 1500) i;
ANALYZE
"""
HEALTH = """
CREATE TABLE patients (patient_id int PRIMARY KEY, sex text, birth_date date, height real, weight real, bmi real,
    risk_score real);
INSERT INTO patients SELECT i, (ARRAY['F', 'M'])[1 + i % 2], date '1950-01-01' + i * 40, 150 + i % 45, 45 + (i * 7) % 60
    + i % 10 / 10.0, 17 + i % 20, random() * 3 FROM generate_series(1, 300) i;
CREATE TABLE visits (id int PRIMARY KEY, patient_id int REFERENCES patients, visit_date date, weight_kg real,
    created_at timestamptz);
INSERT INTO visits SELECT i, 1 + i % 300, date '2026-01-01' + i % 200, 50 + i % 70 + 0.3, now()
    FROM generate_series(1, 1200) i;
ANALYZE
"""


@pytest.mark.parametrize("script", [PAGILA, RETAIL, HEALTH], ids=["pagila", "retail", "health"])
def test_no_weight_is_seen_where_there_is_none(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn, script: str
) -> None:
    found = look_at(readonly_dsn(make_database(script)))

    assert roles_of(found.detection, WEIGHT) == set()
    assert found.proposal is None
    assert roles_of(found.detection, STRATUM_ROLE) | roles_of(found.detection, PSU_ROLE) == set()


@pytest.mark.parametrize(
    ("script", "keys", "dates", "category"),
    [
        (
            PAGILA,
            {"customer.customer_id", "rental.customer_id", "payment.customer_id"},
            {"rental.rental_date", "payment.payment_date"},
            "ecommerce",
        ),
        (RETAIL, {"clients.id", "orders.client_id"}, {"orders.ordered_on"}, "ecommerce"),
        (HEALTH, {"patients.patient_id", "visits.patient_id"}, {"visits.visit_date"}, "mixed"),
    ],
    ids=["pagila", "retail", "health"],
)
def test_persons_and_events_are_seen_without_weights(
    make_database: MakeDatabase,
    readonly_dsn: ReadonlyDsn,
    script: str,
    keys: set[str],
    dates: set[str],
    category: str,
) -> None:
    detection = look_at(readonly_dsn(make_database(script))).detection

    assert roles_of(detection, PERSON_KEY) == keys
    assert roles_of(detection, EVENT_DATE) == dates
    assert (detection.dataset_type.value, detection.data_category.value) == ("event_level", category)


def test_a_survey_weight_beside_a_body_weight_is_the_one(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    found = look_at(readonly_dsn(make_database(HEALTH.replace("risk_score real", "sample_weight real"))))

    assert roles_of(found.detection, WEIGHT) == {"patients.sample_weight"}
    assert {"patients.weight", "visits.weight_kg"} <= roles_of(found.detection, MEASURE)


def test_two_weights_of_one_table_are_alternatives(make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> None:
    script = """
    CREATE TABLE interviews (resp_id int PRIMARY KEY, sex text, region text, wgt_design real, wgt_final real);
    INSERT INTO interviews SELECT i, 'F', 'N', 0.5 + i % 11 / 10.0, 0.4 + i % 13 / 10.0 FROM generate_series(1, 260) i;
    ANALYZE
    """
    proposal = proposed(look_at(readonly_dsn(make_database(script))))

    weights = [
        each["units"][0]["weight"] for each in (proposal.document, *(other.document for other in proposal.alternatives))
    ]

    assert sorted(weights) == ["wgt_design", "wgt_final"]
    assert any("Several columns look like weights" in question for question in proposal.questions)


def test_households_and_persons_with_weights_of_their_own_are_two_units() -> None:
    schemas = [each for each in generate(60, seed=3_000) if each.name.startswith("households")]

    for schema in schemas:
        proposal = propose_design(detect(schema.tables, schema.facts), schema.tables, schema.facts)
        assert proposal is not None
        assert [unit["level"] for unit in proposal.document["units"]] == ["person", "household"]
        assert proposal.alternatives == ()


def test_persons_on_several_rows_are_asked_about() -> None:
    (schema, *_) = [each for each in generate(60, seed=3_000) if each.name.startswith("waves")]

    proposal = propose_design(detect(schema.tables, schema.facts), schema.tables, schema.facts)

    assert proposal is not None
    assert [(unit["key"], unit["level"]) for unit in proposal.document["units"]] == [([], "event")]
    assert proposal.questions[0].startswith("Persons stand on several rows")


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_orphans_are_counted_whatever_the_names(make_database: MakeDatabase) -> None:
    database = make_database(
        'CREATE TABLE "Us""er" ("Id" int); INSERT INTO "Us""er" VALUES (1), (2);'
        'CREATE TABLE "select" ("from""x" int); INSERT INTO "select" VALUES (1), (3), (NULL), (3)'
    )
    key = InferredKey(
        FOREIGN, ("public", "select"), ('from"x',), 0.9, "", references=("public", 'Us"er'), referenced=("Id",)
    )

    assert ask(database, containment_sql(key)) == [(2,)]
    assert ask(database, containment_sql(key, rows=1)) == [(0,)]


def column(name: str, data_type: str = "integer", position: int = 1) -> FoundColumn:
    return FoundColumn(position, name, data_type, True, "")


def table(name: str, *columns: FoundColumn, rows: int = 100, primary_key: tuple[str, ...] = ()) -> FoundTable:
    return FoundTable("public", name, "table", "", rows, 0, columns, primary_key=primary_key)


def referred(tables: Sequence[FoundTable], facts: Facts | None = None) -> set[tuple[str, ...]]:
    keys = infer_keys(tables, facts or {})
    return {(key.table[1], key.columns[0], key.references[1]) for key in keys if key.kind == FOREIGN}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("user_id", "users"),
        ("userid", "users"),
        ("UserId", "app_users"),
        ("fk_user", "users"),
        ("category_id", "categories"),
        ("kunden_id", "kunden"),
        ("kunde_id", "kunden"),
        ("cliente_id", "clientes"),
        ("id_repondant", "repondants"),
        ("parent_user_id", "users"),
        ("person_id", "people"),
    ],
)
def test_references_are_inferred_from_names(name: str, target: str) -> None:
    tables = [table("things", column(name)), table(target, column("id"), primary_key=("id",))]

    assert referred(tables) == {("things", name, target)}


@pytest.mark.parametrize(
    ("name", "data_type"),
    [("user_id", "text"), ("user_id", "double precision"), ("user_name", "integer"), ("id", "integer")],
)
def test_no_reference_where_name_or_type_differ(name: str, data_type: str) -> None:
    tables = [table("things", column(name, data_type)), table("users", column("id"), primary_key=("id",))]

    assert referred(tables) == set()


def test_no_reference_where_values_lie_outside_the_target() -> None:
    tables = [table("things", column("user_id")), table("users", column("id"), primary_key=("id",))]
    facts = {
        ("public", "things"): TableFacts(columns={"user_id": ColumnFacts(minimum="5", maximum="9000", distinct=90)}),
        ("public", "users"): TableFacts(columns={"id": ColumnFacts(minimum="1", maximum="100", distinct=100)}),
    }

    assert referred(tables, facts) == set()


def test_declared_reference_of_several_columns_is_kept() -> None:
    held = FoundTable(
        "public", "a", "table", "", 5, 0, (column("x"), column("y")),
        foreign_keys=(ForeignKey(("x", "y"), "public", "b", ("x", "y")),),
    )  # fmt: skip

    (key,) = infer_keys([held, table("b", column("x"), column("y"))], {})

    assert (key.columns, key.references, key.confidence, key.declared) == (("x", "y"), ("public", "b"), 1.0, True)


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "order",
    [
        ("15-17", "18-24", "25-34", "55+"),
        ("under 18", "18 to 24", "25 to 64", "65 and over"),
        ("unter 18", "18 bis 29", "30 und mehr"),
        ("(0,19]", "(19,39]", "(39,59]", "(59,Inf]"),
        ("Under $25,000", "$25,000 to $49,999", "$50,000 or more", "Prefer not to say"),
        ("<10k", "10k-20k", "20k-30k", "30k+"),
        ("A1", "A2", "A", "B", "C", "D", "E"),
        ("Never", "Rarely", "Sometimes", "Often", "Always", "Don't know"),
        ("1 - Bad", "2 - Fair", "10 - Good"),
        ("XS", "S", "M", "L", "XL"),
        ("Monday", "Tuesday", "Sunday"),
    ],
)
def test_values_are_put_in_their_natural_order(order: tuple[str, ...]) -> None:
    found = natural_order(sorted(order, reverse=True))

    assert found is not None
    assert found[0] == order


@pytest.mark.parametrize(
    "values",
    [
        ("Android", "iOS", "Web"),
        ("Q1 2025", "Q2 2025", "Q3 2025"),
        ("10-20", "15-30", "25-40"),
        ("1", "2", "3"),
        ("2026-01", "2026-02", "2026-03"),
        ("A", "B"),
    ],
)
def test_no_order_is_made_up(values: tuple[str, ...]) -> None:
    assert natural_order(values) is None


# ── names of weights ─────────────────────────────────────────────────────────────────────────────────────────
PUBLISHED = (
    "dweight pspwght anweight wtssall wtssps _llcpwt wtfa_a pwsswgt hwhhwgt pwgtp wgtp perwt hhwt "
    "asecwt wtfinl tufnwgtp "
    "phrf hhrf pwt22 wt_int a_indscus_xw b_hhdenus_xw fac_tri factor_hog withinwt combinwt w_weight weight_w112 "
    "wgt2017_2019 perwt19f w_fstuwt totwgt wghtpew gswgt1 hhweight wgt_pop samplingweight final_wt popweight pondera "
    "pondih coefpond poids_indiv ponderateur peso_pess fator_de_expansao hochrechnung bevoelkerungsgewicht weegfactor "
    "kalibreringsvikt waga_analityczna painokerroin bobot penimbang agirlik rim_weight "
    "projection_factor grossing_factor"
)
OF_BODIES = (
    "weight wt weight_kg body_weight bmxwt wtkg3 weight2 bodyweight weightlbs birthwgt birthweight "
    "birthwt wt_lb gewicht "
    "peso poids koerpergewicht currentwt weightgain hwt"
)
OF_GOODS = (
    "weight wt gross_wt net_weight shipping_weight gewicht nettogewicht peso peso_neto poids paperweight weight_class"
)


def named(name: str, mean: float, spread: float, *, among: str = "sex age region", of: str = "survey") -> bool:
    """Whether a column of this name is taken for a weight, spread evenly around its mean."""
    shares = {share: str(mean * (1 + spread * (2 * share - 1)) + 0.25) for share in (0.0, *QUANTILES, 1.0)}
    low, high = shares.pop(0.0), shares.pop(1.0)
    found = ColumnFacts(SAMPLE, null_share=0.0, distinct=900, minimum=low, maximum=high, quantiles=shares)
    columns = [column(other, "double precision", place) for place, other in enumerate((name, *among.split()), 1)]
    facts = {("public", of): TableFacts(rows=1000, columns={name: found})}
    return bool(detect([table(of, *columns, rows=1000)], facts).of_role(WEIGHT))


@pytest.mark.parametrize("name", PUBLISHED.split())
def test_weights_of_published_surveys_are_known(name: str) -> None:
    assert named(name, 3_000, 0.9)


@pytest.mark.parametrize("name", OF_BODIES.split())
def test_what_bodies_weigh_is_no_weight(name: str) -> None:
    assert not named(name, 75, 0.4)


@pytest.mark.parametrize("name", OF_GOODS.split())
def test_what_goods_weigh_is_no_weight(name: str) -> None:
    assert not named(name, 400, 0.95, among="sku price height", of="products")


# ── generated ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", [WEIGHT, PERSON_KEY, EVENT_DATE])
def test_roles_are_found_in_generated_schemas(role: str) -> None:
    measured, mistakes = measure(generate(96, seed=1_000))

    (found,) = [each for each in measured if each.role == role]

    assert found.right + found.missed >= 50
    assert (found.precision >= 0.9, found.recall >= 0.9) == (True, True), [m for m in mistakes if role in m]


def test_proposals_of_generated_schemas_can_be_read_as_designs() -> None:
    schemas = generate(48, seed=2_000)

    for schema in schemas:
        proposal = propose_design(detect(schema.tables, schema.facts), schema.tables, schema.facts)
        for document in (proposal.document, *(each.document for each in proposal.alternatives)) if proposal else ():
            assert fit_text(render_design(document), specs(schema.tables)).design.units


def test_nothing_is_found_without_facts_that_names_do_not_say() -> None:
    tables = [table("things", column("id"), column("value", "numeric"))]

    detection = detect(tables, {})

    assert propose_design(detection, tables, {}) is None
    assert detection.persons is None
