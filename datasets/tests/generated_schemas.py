"""Databases with the truth about their columns: seeded, in several languages, with columns that mislead.

Names are those of surveys and shops as they are published, not those that detection happens to know.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from datasets.catalog import ForeignKey
from datasets.design import TableName
from datasets.profiling import detection as roles
from datasets.profiling.facts import MOST_COMMON, QUANTILES, SAMPLE, ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable

PERSONS, EVENTS = 300, 1200
Values = list[object]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    data_type: str
    role: str
    values: Values
    comment: str = ""


@dataclass(slots=True)
class Table:
    name: str
    columns: list[Column]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    name: str
    tables: tuple[FoundTable, ...]
    facts: Mapping[TableName, TableFacts]
    truth: Mapping[tuple[TableName, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Words:
    """How one language names things; choices where it has several."""

    persons: tuple[tuple[str, str], ...]  # table, key
    events: tuple[tuple[str, str], ...]  # table, date
    weights: tuple[str, ...]
    birth: str
    created: str
    gender: str
    age_group: tuple[str, tuple[str, ...]]
    body: str
    household: str


LANGUAGES: Final = {
    "en": Words(
        (("respondents", "respondent_id"), ("panelists", "panelist_id"), ("users", "id"), ("members", "member_no")),
        (("sessions", "session_date"), ("viewing", "watched_at"), ("purchases", "purchase_date"), ("trips", "day")),
        ("weight", "final_weight", "pweight", "wgt", "survey_wt", "raking_weight", "pw", "wt", "person_weight"),
        "date_of_birth", "created_at", "gender",
        ("age_group", ("18-24", "25-34", "35-49", "50-64", "65+")), "body_weight", "household_id",
    ),
    "de": Words(
        (("befragte", "befragten_id"), ("personen", "personen_nr"), ("teilnehmer", "teilnehmer_id")),
        (("kaeufe", "kaufdatum"), ("nutzung", "datum"), ("besuche", "besuch_am")),
        ("gewicht", "gewichtung", "hochrechnungsfaktor", "personengewicht", "phrf"),
        "geburtsdatum", "erstellt_am", "geschlecht",
        ("altersgruppe", ("unter 18", "18 bis 29", "30 bis 49", "50 bis 64", "65 und mehr")), "koerpergewicht",
        "haushalt_id",
    ),
    "fr": Words(
        (("individus", "individu_id"), ("repondants", "id_repondant"), ("utilisateurs", "utilisateur_id")),
        (("achats", "date_achat"), ("visites", "date_visite"), ("ecoutes", "jour")),
        ("poids", "ponderation", "poids_final", "coef_pond", "pond"),
        "date_naissance", "cree_le", "sexe",
        ("tranche_age", ("moins de 18", "18-24", "25-34", "35-49", "50+")), "poids_kg", "menage_id",
    ),
    "es": Words(
        (("personas", "persona_id"), ("encuestados", "id_encuestado"), ("usuarios", "usuario_id")),
        (("compras", "fecha_compra"), ("visitas", "fecha"), ("sesiones", "fecha_hora")),
        ("peso", "factor_expansion", "ponderador", "fexp", "fac_per", "factor"),
        "fecha_nacimiento", "creado_en", "sexo",
        ("grupo_edad", ("menos de 18", "18 a 29", "30 a 44", "45 a 64", "65 o más")), "peso_corporal", "hogar_id",
    ),
    "pt": Words(
        (("respondentes", "respondente_id"), ("pessoas", "id_pessoa")),
        (("compras", "data_compra"), ("acessos", "data_acesso")),
        ("peso", "peso_amostral", "peso_final", "v1028"), "data_nascimento", "criado_em", "sexo",
        ("faixa_etaria", ("até 17", "18-24", "25-39", "40-59", "60+")), "peso_corporal_kg", "domicilio_id",
    ),
    "nl": Words(
        (("respondenten", "respondent_nr"), ("deelnemers", "deelnemer_id")),
        (("aankopen", "aankoopdatum"), ("bezoeken", "datum")),
        ("weegfactor", "gewicht", "wegingsfactor"), "geboortedatum", "aangemaakt_op", "geslacht",
        ("leeftijdsgroep", ("18-24", "25-34", "35-54", "55+")), "lichaamsgewicht", "huishouden_id",
    ),
}  # fmt: skip
SCALES: Final = (
    ("Strongly disagree", "Disagree", "Neutral", "Agree", "Strongly agree"),
    ("Never", "Rarely", "Sometimes", "Often", "Always"),
    ("1 - Very bad", "2 - Bad", "3 - Fair", "4 - Good", "5 - Very good"),
    ("A1", "A", "B", "C", "D", "E"),
    ("Under $25,000", "$25,000 to $49,999", "$50,000 to $99,999", "$100,000 or more"),
    ("Primary", "Secondary", "Bachelor", "Master"),
)
BODY: Final = ("weight_kg", "body_weight", "weight", "bmxwt", "weight_lbs", "gewicht_kg", "peso_kg", "poids", "wt")


class Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.language = self.random.choice(sorted(LANGUAGES))
        self.words = LANGUAGES[self.language]

    # ── columns ──────────────────────────────────────────────────────────────────────────────────────────────
    def weight(self, name: str, rows: int, *, comment: str = "") -> Column:
        scale = self.random.choice([1.0, 1.0, 350.0, 4_200.0, 25_000.0])
        values: Values = [round(self.random.lognormvariate(0, 0.6) / 1.197 * scale, 4) for _ in range(rows)]
        for place in self.random.sample(range(rows), rows // 50):
            values[place] = self.random.choice([None, 0.0])
        return Column(name, "double precision", roles.WEIGHT, values, comment)

    def of_body(self, name: str, rows: int) -> Column:
        values: Values = [round(self.random.gauss(74, 14), 1) for _ in range(rows)]
        return Column(name, "numeric(5,1)", roles.MEASURE, values)

    def number(self, name: str, rows: int, low: float = 0.5, high: float = 900) -> Column:
        return Column(
            name, "numeric(10,2)", roles.MEASURE, [round(self.random.uniform(low, high), 2) for _ in range(rows)]
        )

    def choice(self, name: str, rows: int, values: Sequence[str], role: str = roles.DIMENSION) -> Column:
        return Column(name, "text", role, [self.random.choice(values) for _ in range(rows)])

    def flag(self, name: str, rows: int) -> Column:
        if self.random.random() < 0.5:
            return Column(name, "boolean", roles.FLAG, [self.random.choice(["t", "f"]) for _ in range(rows)])
        return Column(name, "smallint", roles.FLAG, [self.random.choice([0, 1]) for _ in range(rows)])

    def code(self, name: str, rows: int, highest: int = 5) -> Column:
        values: Values = [self.random.randint(1, highest) for _ in range(rows)]
        return Column(name, "smallint", roles.DIMENSION, values)

    def day(self, name: str, rows: int, role: str, *, start: date = date(2026, 1, 1), span: int = 90) -> Column:
        kind = self.random.choice(["date", "timestamp with time zone"])
        return Column(name, kind, role, [start + timedelta(self.random.randrange(span)) for _ in range(rows)])

    def birth(self, rows: int) -> Column:
        return self.day(self.words.birth, rows, roles.BIRTH_DATE, start=date(1950, 1, 1), span=18_000)

    def ids(self, name: str, rows: int, role: str, start: int) -> Column:
        return Column(name, "integer", role, list(range(start, start + rows)))

    def refers(self, name: str, rows: int, target: Column, role: str) -> Column:
        return Column(name, target.data_type, role, [self.random.choice(target.values) for _ in range(rows)])

    def demographics(self, rows: int) -> list[Column]:
        name, bands = self.words.age_group
        found = [
            self.choice(self.words.gender, rows, ("F", "M", "X")),
            self.choice(name, rows, bands, roles.CATEGORY_ORDER),
            self.choice("region", rows, ("North", "South", "East", "West")),
            self.choice("statement", rows, self.random.choice(SCALES), roles.CATEGORY_ORDER),
            self.flag("is_urban", rows),
        ]
        return self.random.sample(found, self.random.randint(3, len(found)))

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────
    def events(self, persons: Table, key: Column, names: tuple[str, str], role: str = roles.PERSON_KEY) -> Table:
        """Many rows a person, with a date of the event and others beside it."""
        name, day = names
        held = key.name if key.name != "id" else f"{persons.name.removesuffix('s')}_id"
        columns = [
            self.ids(f"{name}_id" if self.random.random() < 0.5 else "id", EVENTS, roles.IDENTIFIER, 1),
            self.refers(held, EVENTS, key, role),
            self.day(day, EVENTS, roles.EVENT_DATE),
            self.choice("category", EVENTS, ("Food", "Music", "News", "Sport")),
            self.number(self.random.choice(["price", "amount", "minutes", "score"]), EVENTS),
        ]
        if self.random.random() < 0.6:
            columns.append(self.day(self.words.created, EVENTS, roles.OTHER_DATE))
        if self.random.random() < 0.3:
            columns.insert(2, self.day("updated_at", EVENTS, roles.OTHER_DATE))
        made = Table(name, columns)
        if self.random.random() < 0.6:
            made.primary_key = (columns[0].name,)
        if self.random.random() < 0.5:
            made.foreign_keys = (ForeignKey((held,), "public", persons.name, (key.name,)),)
        return made

    def panel(self) -> list[Table]:
        name, key_name = self.random.choice(self.words.persons)
        key = self.ids(key_name, PERSONS, roles.PERSON_KEY, 1_000)
        columns = [key, *self.demographics(PERSONS), self.weight(self.random.choice(self.words.weights), PERSONS)]
        if self.random.random() < 0.5:
            columns.append(self.birth(PERSONS))
        if self.random.random() < 0.5:
            columns.append(self.day(self.words.created, PERSONS, roles.OTHER_DATE))
        if self.random.random() < 0.4:
            columns.append(self.of_body(self.words.body, PERSONS))
        persons = Table(name, columns, (key_name,) if self.random.random() < 0.6 else ())
        picked = self.random.sample(self.words.events, self.random.randint(1, len(self.words.events)))
        tables = [persons, *(self.events(persons, key, names) for names in picked)]
        if self.random.random() < 0.4:
            tables.append(self.monthly(persons, key))
        return tables

    def monthly(self, persons: Table, key: Column) -> Table:
        held = key.name if key.name != "id" else f"{persons.name.removesuffix('s')}_id"
        months = [date(2026, month, 1) for month in (1, 2, 3)]
        columns = [
            Column(held, "integer", roles.PERSON_KEY, key.values * 3),
            Column("month", "date", roles.OTHER_DATE, [month for month in months for _ in range(PERSONS)]),
            self.weight("weight", PERSONS * 3),
        ]
        return Table(f"{persons.name}_weights", columns, (held, "month"))

    def flat_survey(self) -> list[Table]:
        """One wide table, as an agency delivers it."""
        rows = PERSONS * 2
        wide = self.random.choice([20, 60, 140])
        columns: list[Column] = []
        if self.random.random() < 0.6:
            columns.append(
                self.ids(self.random.choice(["caseid", "resp_id", "seqn", "idno"]), rows, roles.PERSON_KEY, 1)
            )
        columns += self.demographics(rows)
        columns += [self.code(f"q{n}", rows, self.random.choice([2, 5, 7])) for n in range(1, wide)]
        names = ["wtmec2yr", "pspwght", "wtssall", "_llcpwt", "pwgtp", "perwt", "weight", "dweight", "wgt_final"]
        columns.append(self.weight(self.random.choice(names), rows))
        if self.random.random() < 0.6:
            stratum, psu = self.random.choice(
                [
                    ("stratum", "psu"),
                    ("sdmvstra", "sdmvpsu"),
                    ("vstrat", "vpsu"),
                    ("strata", "cluster"),
                    ("strate", "ea"),
                ]
            )
            for name, role, most in ((stratum, roles.STRATUM_ROLE, 15), (psu, roles.PSU_ROLE, 40)):
                columns.append(Column(name, "integer", role, [self.random.randint(1, most) for _ in range(rows)]))
        if self.random.random() < 0.4:
            columns += [self.of_body(self.random.choice(["bmxwt", "weight_kg", "body_weight_lb"]), rows)]
            columns += [self.number("bmxht", rows, 140, 200)]
        if self.random.random() < 0.3:
            columns += [self.replicate(f"repwt{n}", rows) for n in range(1, 21)]
        self.random.shuffle(columns)
        return [Table(self.random.choice(["responses", "survey_2024", "data", "interviews"]), columns)]

    def replicate(self, name: str, rows: int) -> Column:
        made = self.weight(name, rows)
        return Column(made.name, made.data_type, roles.MEASURE, made.values)

    def shop(self) -> list[Table]:
        """No weight of persons; goods weigh something."""
        customer = self.ids("customer_id", PERSONS, roles.PERSON_KEY, 1)
        customers = Table(
            "customers",
            [
                customer,
                self.choice("city", PERSONS, ("Oslo", "Rome")),
                self.day("created_at", PERSONS, roles.OTHER_DATE),
            ],
            ("customer_id",),
        )
        product = self.ids("product_id", 200, roles.IDENTIFIER, 1)
        products = Table(
            "products",
            [
                product,
                self.number("price", 200),
                self.number(self.random.choice(["weight", "weight_g", "shipping_weight", "net_weight", "wt"]), 200),
                self.number("score", 200, 0.1, 5),
                self.choice("size", 200, ("S", "M", "L", "XL"), roles.CATEGORY_ORDER),
            ],
            ("product_id",) if self.random.random() < 0.7 else (),
        )
        orders = self.events(
            customers, customer, ("orders", self.random.choice(["order_date", "ordered_at", "placed_on"]))
        )
        orders.columns.append(self.refers("product_id", EVENTS, product, roles.IDENTIFIER))
        orders.columns.append(self.day("shipped_at", EVENTS, roles.OTHER_DATE))
        return [customers, products, orders]

    def clinic(self) -> list[Table]:
        """Patients have a body weight; in one of two a survey weight too."""
        patient = self.ids("patient_id", PERSONS, roles.PERSON_KEY, 1)
        columns = [
            patient,
            self.choice("sex", PERSONS, ("F", "M")),
            self.birth(PERSONS),
            self.of_body(self.random.choice(BODY), PERSONS),
            self.number("height", PERSONS, 140, 205),
            self.number("bmi", PERSONS, 16, 45),
        ]
        if self.random.random() < 0.5:
            columns.append(self.weight(self.random.choice(["sampling_weight", "survey_weight", "pweight"]), PERSONS))
        patients = Table("patients", columns, ("patient_id",))
        visits = self.events(
            patients, patient, ("visits", self.random.choice(["visit_date", "admitted_on", "seen_at"]))
        )
        visits.columns.append(self.of_body("weight", EVENTS))
        visits.columns.append(self.number("systolic_bp", EVENTS, 90, 190))
        return [patients, visits]

    def households(self) -> list[Table]:
        """Two levels, each with its weight."""
        household = self.ids("hhid", PERSONS // 2, roles.HOUSEHOLD_KEY, 1)
        homes = Table(
            "households", [household, self.weight("hhwt", PERSONS // 2), self.code("hhsize", PERSONS // 2, 7)]
        )
        homes.primary_key = ("hhid",)
        person = self.ids("person_id", PERSONS, roles.PERSON_KEY, 1)
        columns = [
            person,
            self.refers("hhid", PERSONS, household, roles.HOUSEHOLD_KEY),
            *self.demographics(PERSONS),
            self.weight(self.random.choice(["perwt", "pwgt", "person_weight"]), PERSONS),
        ]
        persons = Table("persons", columns, ("person_id",))
        return [homes, persons, self.events(persons, person, ("trips", "trip_date"))]

    def interests(self) -> list[Table]:
        """A panel whose persons have tags, portfolios and answers that weigh something too."""
        tables = self.panel()
        persons = tables[0]
        key = persons.columns[0]
        held = key.name if key.name != "id" else f"{persons.name.removesuffix('s')}_id"
        rows = PERSONS * 3
        tags = [
            self.refers(held, rows, key, roles.PERSON_KEY),
            self.choice(self.random.choice(["topic", "tag", "security"]), rows, ("Sport", "News", "Music", "Food")),
            Column(
                self.random.choice(["weight", "interest_weight", "relevance", "wt"]),
                "double precision",
                roles.MEASURE,
                [round(self.random.lognormvariate(0, 0.8), 4) for _ in range(rows)],
            ),
        ]
        answers = [
            self.ids("option_id", 40, roles.IDENTIFIER, 1),
            self.choice("label", 40, ("Yes", "No", "Maybe so", "Both")),
            self.code("weight", 40, 5),
        ]
        return [*tables, Table("interests", tags), Table("answer_options", answers)]

    def warehouse(self) -> list[Table]:
        """Dimensions and facts, keys by name only, dates of other things beside those of the events."""
        key_name, table = self.random.choice(
            [
                ("customer_key", "dim_customer"),
                ("CustomerID", "DimCustomer"),
                ("member_sk", "dim_member"),
                ("sub_id", "subscriber"),
            ]
        )
        key = self.ids(key_name, PERSONS, roles.PERSON_KEY, 10_000)
        customers = [key, self.choice("Segment", PERSONS, ("Low", "Medium", "High"), roles.CATEGORY_ORDER)]
        customers += [self.day("first_purchase_date", PERSONS, roles.OTHER_DATE), self.birth(PERSONS)]
        employee = self.ids("employee_key", 20, roles.IDENTIFIER, 1)
        when = self.random.choice(["dt", "sale_ts", "log_time", "txn_date", "calendar_day", "time_stamp"])
        facts = [
            self.refers(key_name, EVENTS, key, roles.PERSON_KEY),
            self.refers("employee_key", EVENTS, employee, roles.IDENTIFIER),
            self.day(self.random.choice(["release_date", "due_date", "valid_to"]), EVENTS, roles.OTHER_DATE),
            self.day(when, EVENTS, roles.EVENT_DATE),
            self.day("etl_loaded_at", EVENTS, roles.OTHER_DATE),
            self.number("net_weight", EVENTS),
            self.number("unit_price", EVENTS),
        ]
        return [
            Table(table, customers),
            Table("dim_employee", [employee, self.day("hired_on", 20, roles.OTHER_DATE)]),
            Table("fact_sales", facts),
        ]

    def telephone_survey(self) -> list[Table]:
        """As BRFSS is published: bodies in pounds and hundredths of kilograms beside the weight of the interview."""
        rows = PERSONS * 2
        pounds: Values = [self.random.randint(90, 320) for _ in range(rows)]
        kilograms: Values = [int(str(value)) * 45 for value in pounds]
        columns = [
            self.ids("seqno", rows, roles.PERSON_KEY, 2_015_000_001),
            self.weight(self.random.choice(["_llcpwt", "_finalwt", "x_llcpwt"]), rows),
            Column("weight2", "integer", roles.MEASURE, pounds),
            Column("wtkg3", "integer", roles.MEASURE, kilograms),
            Column("_ststr", "integer", roles.STRATUM_ROLE, [self.random.randint(1, 25) for _ in range(rows)]),
            self.day("idate", rows, roles.OTHER_DATE),
            *self.demographics(rows),
            *[self.code(f"genhlth{n}", rows) for n in range(1, 30)],
        ]
        return [Table("llcp", columns)]

    def waves(self) -> list[Table]:
        """Persons asked again and again, one row a wave."""
        name, weight = self.random.choice(
            [
                ("pidp", "indscus_lw"),
                ("pid", "phrf"),
                ("person_id", "xwaveid_wt"),
                ("mergeid", "cciw"),
                ("hhidpn", "rwtresp"),
            ]
        )
        rows = PERSONS * 3
        columns = [
            Column(name, "integer", roles.PERSON_KEY, [*range(1, PERSONS + 1)] * 3),
            Column("wave", "smallint", roles.DIMENSION, [wave for wave in (1, 2, 3) for _ in range(PERSONS)]),
            self.weight(weight, rows),
            self.day("interview_date", rows, roles.OTHER_DATE),
            *self.demographics(rows),
        ]
        return [Table("indresp", columns)]

    def totals(self) -> list[Table]:
        """What was added up before: no persons at all."""
        rows = 200
        columns = [
            self.day("month", rows, roles.OTHER_DATE),
            self.choice("channel", rows, ("TV", "Radio", "Web")),
            self.number("total_minutes", rows, 1_000, 90_000),
            self.number("avg_score", rows, 0.1, 5),
            self.number("share_pct", rows, 0.1, 99),
        ]
        return [Table("monthly_totals", columns)]


KINDS: Final[tuple[Callable[[Maker], list[Table]], ...]] = (
    Maker.panel,
    Maker.flat_survey,
    Maker.shop,
    Maker.clinic,
    Maker.households,
    Maker.panel,
    Maker.flat_survey,
    Maker.totals,
    Maker.interests,
    Maker.warehouse,
    Maker.telephone_survey,
    Maker.waves,
)


def generate(count: int, *, seed: int = 0) -> tuple[Schema, ...]:
    return tuple(_schema(seed + number, KINDS[number % len(KINDS)]) for number in range(count))


def _schema(seed: int, kind: Callable[[Maker], list[Table]]) -> Schema:
    maker = Maker(seed)
    tables = kind(maker)
    return Schema(
        name=f"{kind.__name__}_{maker.language}_{seed}",
        tables=tuple(_found(table) for table in tables),
        facts={("public", table.name): _facts(table) for table in tables},
        truth={(("public", table.name), each.name): each.role for table in tables for each in table.columns},
    )


def _found(table: Table) -> FoundTable:
    columns = tuple(
        FoundColumn(place, each.name, each.data_type, each.name not in table.primary_key, each.comment)
        for place, each in enumerate(table.columns, 1)
    )
    rows = len(table.columns[0].values)
    return FoundTable(
        "public", table.name, "table", "", rows, 0, columns,
        primary_key=table.primary_key, foreign_keys=table.foreign_keys,
    )  # fmt: skip


def _facts(table: Table) -> TableFacts:
    rows = len(table.columns[0].values)
    return TableFacts(rows=rows, sampled=rows, columns={each.name: _column_facts(each) for each in table.columns})


def _column_facts(column: Column) -> ColumnFacts:
    held = [value for value in column.values if value is not None]
    counted = Counter(str(value) for value in held)
    shares = tuple(
        CommonValue(value, count / len(column.values)) for value, count in counted.most_common(MOST_COMMON) if count > 1
    )
    ordered = sorted(held, key=lambda value: value if isinstance(value, (int, float)) else str(value))
    numbers = column.data_type not in ("text", "boolean")
    texts = [len(str(value)) for value in held]
    return ColumnFacts(
        source=SAMPLE,
        null_share=1 - len(held) / len(column.values),
        distinct=len(counted),
        minimum=str(ordered[0]) if numbers else None,
        maximum=str(ordered[-1]) if numbers else None,
        quantiles={share: str(ordered[int(share * (len(ordered) - 1))]) for share in QUANTILES} if numbers else {},
        common=shares,
        lengths=(min(texts), sum(texts) / len(texts), max(texts)) if column.data_type == "text" else None,
    )


# ── measures ─────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Measured:
    """How well one role is found, over all columns of all schemas."""

    role: str
    right: int
    wrong: int  # found where it is not
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


Mistake = tuple[str, str, str, str]  # schema, table.column, truth, found


def measure(schemas: Sequence[Schema]) -> tuple[tuple[Measured, ...], tuple[Mistake, ...]]:
    pairs: Counter[tuple[str, str]] = Counter()
    mistakes = []
    for schema in schemas:
        found = roles.detect(schema.tables, schema.facts)
        for each in found.columns:
            truth = schema.truth[each.table, each.column]
            pairs[truth, each.role] += 1
            if truth != each.role:
                mistakes.append((schema.name, f"{each.table[1]}.{each.column}", truth, each.role))
    measured = tuple(
        Measured(
            role=role,
            right=pairs[role, role],
            wrong=sum(count for (truth, found), count in pairs.items() if found == role != truth),
            missed=sum(count for (truth, found), count in pairs.items() if truth == role != found),
        )
        for role in roles.ROLES
    )
    return measured, tuple(mistakes)
