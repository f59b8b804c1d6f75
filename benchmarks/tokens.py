"""How near querying.tokens comes to o200k, by kind of text, and how long both take; `--fit` prints its costs anew.

Costs are fitted on texts made of every second word, name and category; what is measured is made of the others.
"""

from __future__ import annotations

import argparse
import datetime
import gettext
import json
import pydoc_data.topics
import random
import re
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import bpe_openai  # type: ignore[import-untyped]  # brings no types
import django
from django.conf import global_settings

from querying.tokens import COSTS, count_features, estimate_tokens

Value = TypeVar("Value")
SEEDS = 24
TIMED_BYTES = 1 << 16

NAMES = """
Aarav Vivaan Aditya Priya Ananya Diya Rohan Kavya Lakshmi Sanjay Meera Arjun Sunita Rahul Pooja Vikram Neha Suresh
Olivia Liam Emma Noah Sophia James Isabella Benjamin Charlotte Lucas Amelia Henry Evelyn Alexander Harper Michael
Emily Daniel Elizabeth Matthew Camila Joseph Scarlett Samuel Victoria David Grace Carter Chloe Wyatt Zoey Jayden
Sharma Patel Gupta Reddy Iyer Nair Singh Kumar Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez
Martinez Hernandez Lopez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Thompson White Harris Clark Lewis
Robinson Walker Young
"""
CATEGORIES = """
Female;Male;Other;Prefer not to say;Non-binary;Unknown;Not asked;Yes;No;Married;Single;Divorced;Widowed
Never married;Andhra Pradesh;Arunachal Pradesh;Assam;Bihar;Chhattisgarh;Goa;Gujarat;Haryana;Himachal Pradesh
Jharkhand;Karnataka;Kerala;Madhya Pradesh;Maharashtra;Manipur;Meghalaya;Mizoram;Nagaland;Odisha;Punjab;Rajasthan
Sikkim;Tamil Nadu;Telangana;Tripura;Uttar Pradesh;Uttarakhand;West Bengal;Delhi;Jammu and Kashmir;Puducherry
Chandigarh;Ladakh;Lakshadweep;Alabama;Alaska;Arizona;Arkansas;California;Colorado;Connecticut;Delaware;Florida
Georgia;Hawaii;Idaho;Illinois;Indiana;Iowa;Kansas;Kentucky;Louisiana;Maine;Maryland;Massachusetts;Michigan;Minnesota
Mississippi;Missouri;Montana;Nebraska;Nevada;New Hampshire;New Jersey;New Mexico;New York;North Carolina
North Dakota;Ohio;Oklahoma;Oregon;Pennsylvania;Rhode Island;South Carolina;South Dakota;Tennessee;Texas;Utah;Vermont
Virginia;Washington;West Virginia;Wisconsin;Wyoming;Facebook;Instagram;WhatsApp;YouTube;Netflix;Amazon Prime Video
Disney+ Hotstar;JioCinema;Flipkart;Myntra;Meesho;Swiggy;Zomato;PhonePe;Google Pay;Paytm;Snapchat;Telegram;LinkedIn
Spotify;Gaana;ShareChat;Moj;Truecaller;Uber;Ola;MakeMyTrip;Zerodha;Groww;Coca-Cola;Pepsi;Thums Up;Nestle;Maggi
Britannia;Parle-G;Amul;Dabur;Colgate;Surf Excel;Lifebuoy;Samsung;Xiaomi;OnePlus;Vivo;Realme;Apple;Nike;Adidas;Puma
Toyota;Hyundai;Maruti Suzuki;Tata Motors;Mahindra;Honda;Hero MotoCorp;Bajaj;Airtel;Vodafone Idea;Accountant;Teacher
Nurse;Software engineer;Electrician;Plumber;Farmer;Retail salesperson;Truck driver;Chef;Lawyer;Architect
Civil engineer;Pharmacist;Homemaker;Student;Unemployed;Retired;Police officer;Journalist;Photographer;Carpenter
Dentist;Agricultural labourer;Skilled worker;Petty trader;Shop owner;Clerical / salesman;Supervisory level
Officer - junior;Self-employed;18-24;25-34;35-44;45-54;55+;A1;A2;B1;C;D/E;Metro 40L+;10-40 Lakh;Rural;Urban
Semi-urban;North;South;East;West;Android;iOS;Windows;Strongly agree;Somewhat agree;Neither agree nor disagree
Somewhat disagree;Strongly disagree;Don't know;Refused;Very satisfied;Dissatisfied;Daily;Weekly;Once a month
Less often;Never;High school;Some college;Bachelor's degree;Master's degree;Illiterate;Social;Entertainment;Shopping
News;Travel;Finance;Music & Audio;Health & Fitness;Games;Education;Food & Drink;Messaging;OTT Video;Beverages
Personal care;Household cleaning;Snacks & confectionery;Dairy;Baby care;Pet food;Over-the-counter medicine;Frozen
"""
COLUMNS = """
age_group nccs town_class respondent_id household_id weight_final date_of_birth is_active created_at updated_at
order_total customer_id qty unit_price session_start session_end app_name os_version device_type pct_reach
avg_minutes mar_status total_spend_inr edu_level hh_income wtmec2yr sdmvpsu sdmvstra hi_chol riagendr
q1_brand_awareness q2a q17_other_specify
"""
TYPES = """
integer;bigint;text;numeric(10,2);date;timestamp with time zone;boolean;double precision;character varying(50);uuid
jsonb
"""
STAMPS = ("%Y-%m-%d %H:%M:%S+00", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f+00", "%Y-%m-%dT%H:%M:%S+05:30")
ERRORS = (
    'column "{a}" does not exist in {b}. Did you mean "{d}"? Call describe_dataset to see its columns.',
    "Statement refused: {a}() is not an allowed function. Hint: use date_trunc or to_char, or leave the step out.",
    'ERROR:  syntax error at or near "{a}"\nLINE {n}: SELECT {b}, count(*) FROM {t} GROUP\n        ^',
    'relation "public.{t}" does not exist (SQLSTATE 42P01)',
    "canceling statement due to statement timeout after {n} s: aggregate first, or filter {t} by date.",
    'invalid input syntax for type integer: "{a}"\npermission denied for table {t}',
    '{{"error":"not_allowed","message":"Table {t} is not part of {b}.","hint":"Allowed tables: {u}, {d}."}}',
    'The answer has {n} rows; {m} were shown, so ask with LIMIT or page on with cursor "{a}".',
    "operator does not exist: text + integer\nHINT:  You might need to add explicit type casts.",
)
PLAN = (
    "Hash Join  (cost={x}..{y} rows={n} width=16) (actual time={x}..{y} rows={m} loops=1)",
    "  Hash Cond: ({t}.{a} = {u}.{a})\n  Buffers: shared hit={n} read={m}",
    "  ->  Seq Scan on {t}  (cost=0.00..{y} rows={n} width=4)\n        Filter: ({a} = '{c}'::text)",
    "        Rows Removed by Filter: {n}\n        ->  Index Scan using {t}_pkey on {t}  (cost={x}..{y} rows={m})",
    "              Index Cond: ({a} >= '2026-01-01'::date)",
    "  ->  HashAggregate  (cost={x}..{y} rows={n} width=40)\n        Group Key: {a}\n        Batches: 1",
    "        ->  Sort  (cost={x}..{y} rows={n} width=12)\n              Sort Key: {a} DESC\nPlanning Time: 0.{m} ms",
)
SQL = (
    "SELECT {a}, count(*) AS n FROM {t} WHERE {b} = '{c}' GROUP BY {a} ORDER BY n DESC LIMIT {n};",
    "select u.{a}, avg(e.{b}) from {t} e join {u} u on u.user_id = e.user_id where e.day >= '2026-01-01' group by 1",
    "WITH base AS (\n    SELECT {a}, sum({b}) AS total\n    FROM {t}\n    WHERE {d} > {n}\n    GROUP BY 1\n)",
    "SELECT {a}, round(100.0 * total / sum(total) OVER (), 1) AS share FROM {u};",
    "SELECT date_trunc('month', {d}) AS month, sum({b} * weight) / sum(weight) FILTER (WHERE {a} IS NOT NULL) FROM {t}",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {b}) FROM \"{t}\" WHERE \"{a}\" IN ('{c}', 'Other')",
    "SELECT CASE WHEN {b} > {n} THEN 'high' ELSE 'low' END AS band, COUNT(DISTINCT {a}) FROM {t} JOIN {u} USING ({a})",
)


def split(lines: str) -> list[str]:
    return lines.strip().replace("\n", ";").split(";")


def half(items: Iterable[str], held_out: bool) -> list[str]:
    """Every second item: what the costs were fitted to, or what they have not seen."""
    return sorted(set(items))[held_out::2]


@cache
def sentences() -> list[str]:
    text = re.sub(r"\s+", " ", " ".join(pydoc_data.topics.topics.values()))
    return re.findall(r"(?<=[.!?] )[A-Z][a-z]+ [^|*`{}<>\[\]=_]{20,200}?[.!?](?=\s)", text)


@cache
def phrases(language: str) -> list[str]:
    """Short translations out of Django: in more languages than we could write."""
    found: list[str] = []
    for path in sorted(Path(django.__file__).parent.rglob(f"locale/{language}/LC_MESSAGES/django.mo")):
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]  # no public way to list it
        found += [text for key, text in catalog.items() if key and isinstance(text, str) and 0 < len(text.strip()) < 80]
    return [text for text in found if "%" not in text and "\n" not in text]


@cache
def words() -> list[str]:
    return sorted({word.lower() for text in sentences() for word in re.findall(r"[A-Za-z]{3,}", text)})


@cache
def identifiers(held_out: bool) -> list[str]:
    rng, known = random.Random(1), half(words(), held_out)  # noqa: S311
    made = ["_".join(rng.sample(known, rng.choice((1, 2, 2, 3)))) for _ in range(150)]
    return half((*COLUMNS.split(), *(name.lower() for name in dir(global_settings) if name.isupper())), held_out) + made


@dataclass(frozen=True, slots=True)
class Source:
    """Random values out of one half of the words."""

    rng: random.Random
    held_out: bool

    def pick(self, items: Sequence[Value]) -> Value:
        return self.rng.choice(items)

    def half(self, items: Iterable[str]) -> list[str]:
        return half(items, self.held_out)

    def name(self) -> str:
        return self.pick(identifiers(self.held_out))

    def fill(self, template: str) -> str:
        names = {letter: self.name() for letter in "abdtu"}
        cost, rows = self.rng.random() * 1000, 10 ** self.rng.randrange(1, 7)
        n, m = self.rng.randrange(rows), self.rng.randrange(1000)
        return template.format(
            **names, c=self.pick(self.half(split(CATEGORIES))), n=n, m=m, x=f"{cost:.2f}", y=f"{cost * 2.7:.2f}"
        )


Maker = Callable[[Source], Callable[[], str]]


# ── cells: a maker settles a column's character, what it returns makes its cells ─────────────────────────────
def count(s: Source) -> Callable[[], str]:
    top = s.pick((10, 100, 1000, 5000, 100_000))
    return lambda: str(int(s.rng.random() ** 2 * top))


def serial(s: Source) -> Callable[[], str]:
    start = 10 ** s.pick((4, 5, 6, 7, 9, 11))
    ids = iter(range(start + s.rng.randrange(start), 10**12, s.rng.randrange(1, 9)))
    return lambda: str(next(ids))


def floating(s: Source) -> Callable[[], str]:
    digits, size, spread = s.pick((3, 4, 5, 6)), s.pick((-2, 0, 2, 4, 6)), s.pick((0.5, 1, 2))
    return lambda: repr(float(f"{s.rng.lognormvariate(size, spread) * s.pick((1, 1, -1)):.{digits}g}"))


def numeric(s: Source) -> Callable[[], str]:
    places, top = s.pick((1, 2, 2, 4)), s.pick((10, 1000, 100_000))
    return lambda: f"{s.rng.random() * top:.{places}f}"


def stamp(s: Source) -> Callable[[], str]:
    form, step = s.pick(STAMPS), s.pick((1, 60, 3600))
    start = datetime.datetime(s.pick((1999, 2015, 2024, 2026)), 1, 1, tzinfo=datetime.UTC)
    parts = 10**6 if "%f" in form else 1
    return lambda: (start + datetime.timedelta(0, s.rng.randrange(9000) * step, s.rng.randrange(parts))).strftime(form)


def date(s: Source) -> Callable[[], str]:
    start, days = datetime.date(s.pick((1999, 2015, 2024, 2026)), 1, 1), s.pick((90, 900))
    return lambda: str(start + datetime.timedelta(s.rng.randrange(days)))


def email(s: Source) -> Callable[[], str]:
    names, hosts = s.half(NAMES.split()), ("gmail.com", "yahoo.co.in", "example.com", "outlook.com")
    return lambda: (
        f"{s.pick(names)}{s.pick(('.', '_', ''))}{s.pick(names)}{s.rng.randrange(99)}@{s.pick(hosts)}".lower()
    )


def paragraph(s: Source) -> Callable[[], str]:
    known, length = s.half(sentences()), s.pick((1, 1, 2, 3))
    return lambda: " ".join(s.rng.sample(known, length))


def one_uuid(s: Source) -> Callable[[], str]:
    return lambda: str(uuid.UUID(int=s.rng.getrandbits(128), version=4))


def person(s: Source) -> Callable[[], str]:
    names = s.half(NAMES.split())
    return lambda: f"{s.pick(names)} {s.pick(names)}"


def boolean(s: Source) -> Callable[[], str]:
    return lambda: s.pick(("true", "false"))


def among(items: Callable[[Source], list[str]], *sizes: int) -> Maker:
    """A column of few different values: one misjudged word counts in every row."""

    def make(s: Source) -> Callable[[], str]:
        known = items(s)
        few = s.rng.sample(known, min(s.pick(sizes), len(known)))
        return lambda: s.pick(few)

    return make


def foreign(language: str) -> Maker:
    return among(lambda s: s.half(phrases(language)), 20, 60, 200)


category = among(lambda s: s.half(split(CATEGORIES)), 8, 20, 40)
snake = among(lambda s: identifiers(s.held_out), 40)
COMMON = (count, count, serial, floating, numeric, numeric, date, stamp, category, category, category, boolean, snake)


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────
def as_markdown(names: list[str], rows: list[list[str]]) -> str:
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def as_csv(names: list[str], rows: list[list[str]]) -> str:
    def quote(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if re.search('[",\n]', cell) else cell

    return "\n".join(",".join(map(quote, row)) for row in [names, *rows]) + "\n"


def as_json(names: list[str], rows: list[list[str]]) -> str:
    def value(cell: str) -> object:
        return float(cell) if "." in cell else int(cell) if cell else None

    known = [[value(cell) if re.fullmatch(r"(-?\d+(\.\d+)?)?", cell) else cell for cell in row] for row in rows]
    return json.dumps({"columns": names, "rows": known}, separators=(",", ":"), ensure_ascii=False)


Form = Callable[[list[str], list[list[str]]], str]


def table(s: Source, size: int, makers: Sequence[Maker], form: Form, nulls: float = 0) -> str:
    names, cells = s.rng.sample(identifiers(s.held_out), len(makers)), [make(s) for make in makers]
    rows: list[list[str]] = []
    length = 0
    while length < size:
        rows.append(["" if nulls and s.rng.random() < nulls else cell() for cell in cells])
        length += sum(map(len, rows[-1])) + len(cells) + 2
    return form(names, rows)


Text = Callable[[Source, int], str]


def column(maker: Maker, form: Form = as_markdown) -> Text:
    def make(s: Source, size: int) -> str:
        makers = [maker] * s.pick((1, 1, 2, 3)) + [count] * s.pick((0, 1, 1, 2))
        return table(s, size, s.rng.sample(makers, len(makers)), form)

    return make


def mixed(form: Form, nulls: float = 0) -> Text:
    return lambda s, size: table(s, size, [s.pick(COMMON) for _ in range(s.pick((3, 4, 6, 10, 20, 30)))], form, nulls)


def lines(templates: Sequence[str]) -> Text:
    def make(s: Source, size: int) -> str:
        made: list[str] = []
        while sum(map(len, made)) < size:
            made.append(s.fill(s.pick(templates)))
        return "\n".join(made)

    return make


def description(s: Source, size: int) -> str:
    known, types = s.half(sentences()), split(TYPES)
    made = [f"{s.fill('# {a}: ')}{s.pick(known)}", s.fill("panel, open; {d} from 2024-01-01 to 2026-01-31.")]
    while sum(map(len, made)) < size:
        made += [s.fill("\n## public.{t} (table, about {n:,} rows)"), s.pick(known)]
        made += ["|column|type|about|", "|---|---|---|"]
        for _ in range(s.rng.randrange(4, 20)):
            mark = s.pick(("key; ", "-> public.{t}.{a}; ", "masked (hash); ", "{c}; ", "", "", "", ""))
            made.append(f"|{s.name()}|{s.pick(types)}|{s.fill(mark)}{s.pick(known)[:80]}|")
    return "\n".join(made)


KINDS: dict[str, Text] = {
    "counts": column(count),
    "ids": column(serial),
    "floats": column(floating),
    "numerics": column(numeric),
    "dates": column(date),
    "timestamps": column(stamp),
    "uuids": column(one_uuid),
    "emails": column(email),
    "names": column(person),
    "sentences": column(paragraph),
    "categories": column(category),
    "snake_case": column(snake),
    "mixed": mixed(as_markdown),
    "mixed with nulls": mixed(as_markdown, 0.6),
    "description": description,
    "errors": lines(ERRORS),
    "plan": lines(PLAN),
    "sql": lines(SQL),
    "csv": mixed(as_csv),
    "csv with nulls": mixed(as_csv, 0.6),
    "csv categories": column(category, as_csv),
    "json": mixed(as_json),
    "json with nulls": mixed(as_json, 0.5),
    "json categories": column(category, as_json),
    "json sentences": column(paragraph, as_json),
    "json uuids": column(one_uuid, as_json),
    "hindi": column(foreign("hi")),
    "hindi json": column(foreign("hi"), as_json),
    "german": column(foreign("de")),
    "french": column(foreign("fr")),
    "chinese": column(foreign("zh_Hans")),
    "chinese csv": column(foreign("zh_Hans"), as_csv),
    "japanese": column(foreign("ja")),
    "cyrillic": column(foreign("ru")),
    "arabic": column(foreign("ar")),
}


def make_text(kind: str, seed: int, *, held_out: bool = True, size: int = 0) -> str:
    """About `size` characters, or 200 to 100,000 by the seed."""
    rng = random.Random(f"{kind} {seed} {held_out}")  # noqa: S311
    return KINDS[kind](Source(rng, held_out), size or int(10 ** rng.uniform(2.3, 5)))


@cache
def encoding() -> bpe_openai.Encoding:
    return bpe_openai.get_encoding("o200k_base")


def count_exactly(text: str) -> int:
    return len(encoding().encode(text))


# ── fit and report ───────────────────────────────────────────────────────────────────────────────────────────
def fit() -> list[float]:
    """Least squares of relative errors: the normal equations, solved by elimination."""
    size = len(COSTS)
    sums = [[0.0] * (size + 1) for _ in range(size)]
    for text in (make_text(kind, seed, held_out=False) for kind in KINDS for seed in range(SEEDS)):
        exact, counts = count_exactly(text), count_features(text)
        row = [*(counts[i] / exact if i < len(counts) else 0.0 for i in range(size)), 1.0]
        for i in range(size):
            sums[i] = [total + row[i] * value for total, value in zip(sums[i], row, strict=True)]
    for i in range(size):  # sums of squares need no pivoting
        sums[i] = [value / sums[i][i] for value in sums[i]]
        for j in range(size):
            if j != i:
                sums[j] = [a - sums[j][i] * b for a, b in zip(sums[j], sums[i], strict=True)]
    return [row[-1] for row in sums]


def milliseconds(work: Callable[[str], int], text: str) -> float:
    def once() -> float:
        start = time.perf_counter()
        work(text)
        return (time.perf_counter() - start) * 1000

    return min(once() for _ in range(20))


def report(kind: str) -> str:
    texts = [make_text(kind, seed) for seed in range(SEEDS)]
    pairs = [(count_exactly(text), estimate_tokens(text)) for text in texts]
    errors = [(exact, abs(estimate / exact - 1) * 100) for exact, estimate in pairs]
    long = [error for exact, error in errors if exact > 1000]
    short = [error for exact, error in errors if 100 <= exact <= 1000]
    exact, estimate = (sum(numbers) for numbers in zip(*pairs, strict=True))
    timed = make_text(kind, 0, size=TIMED_BYTES).encode()[:TIMED_BYTES].decode(errors="ignore")
    times = f"{milliseconds(estimate_tokens, timed):.2f}|{milliseconds(count_exactly, timed):.1f}"
    worst = f"{statistics.median(long):.1f}|{max(long):.1f}|{max(short, default=0):.1f}"
    return f"|{kind}|{exact}|{estimate}|{(estimate / exact - 1) * 100:+.1f}|{worst}|{times}|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="print the costs in the order of querying.tokens.COSTS")
    if parser.parse_args().fit:
        print(*(f"{cost:.3f}" for cost in fit()))
        return
    print("|kind|exact|estimated|error %|median over 1,000 tokens %|worst %|worst under 1,000 %|ms a 64 KB|o200k ms|")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        print(report(kind), flush=True)


if __name__ == "__main__":
    main()
