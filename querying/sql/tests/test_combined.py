"""Combine statements: what DuckDB answers is what PostgreSQL answers; what is not known to be so is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

import psycopg
import pytest

from config.errors import InvalidRequest, NameNotFound, QueryRefused, RequestError
from querying.combine import connect, describe, load, lock
from querying.results import Column, QueryResult
from querying.sql.combined import build_combined, check_label, column_names, quote
from querying.sql.duckdb_patterns import count_positions, like_to_regex

TABLES = """
CREATE TABLE sales (k text, region text, n bigint, price numeric, share double precision, ok boolean, day date,
    at timestamp, seen timestamptz, "Odd Name" integer, "A" integer, a integer);
INSERT INTO sales VALUES
    ('x', 'north', 1, 10.25, 0.5, true, '2026-01-31', '2026-01-31 10:00:00', '2026-01-31 10:00:00+02', 1, 10, 100),
    ('y', 'south', 2, 1.005, 1.5, false, '2026-02-28', '2026-02-28 23:59:59.5', '2026-02-28 10:00:00+00', 2, 20, 200),
    ('z', 'north', 3, NULL, 2.5, NULL, NULL, NULL, NULL, 3, 30, 300),
    (NULL, 'east', 4, 2.345, NULL, true, '2024-12-30', '2024-12-30 00:00:00', '2024-12-30 00:00:00+00', 4, 40, 400),
    ('10% off_', 'ä Ö', 5, -2.5, -2.5, false,
        '2026-03-01', '2026-03-01 00:00:00', '2026-03-01 00:00:00+00', 5, 50, 500),
    (E'a\\nb''c\\\\d', 'Zed', 3000000000, 100, 1e-7, true, '2026-12-31', '2026-12-31 12:30:00', NULL, 6, 60, 600);
CREATE TABLE base (k text, n bigint, whole numeric, city text);
INSERT INTO base VALUES ('x', 4, 8, 'Pune'), ('y', 5, 3, 'pune'), ('w', 0, 7, NULL), (NULL, 6, 2, 'Delhi'),
    ('x', 1, 5, 'Goa');
CREATE TABLE nothing (k text, n bigint, price numeric);
"""
LABELS = ("sales", "base", "nothing")

# Each is asked of PostgreSQL and, combined, of DuckDB. Without ORDER BY, rows are compared in any order.
SAME = """
SELECT * FROM sales
SELECT sales.*, b.city FROM sales JOIN base b ON b.k = sales.k
SELECT * FROM sales JOIN base USING (k)
SELECT * FROM sales FULL JOIN base USING (k)
SELECT * FROM sales RIGHT JOIN base USING (k)
SELECT k, count(*) FROM sales FULL JOIN base USING (k) FULL JOIN nothing USING (k) GROUP BY k
SELECT k, s.n::numeric / b.n AS ratio FROM sales s JOIN base b USING (k) WHERE b.n <> 0 ORDER BY ratio DESC, k
SELECT sum(n), avg(n), min(n), max(n), count(*), count(k), count(DISTINCT region) FROM sales
SELECT sum(price), avg(price), sum(share), avg(share) FROM sales
SELECT sum(n), avg(n), count(*), max(k) FROM nothing
SELECT region, sum(n) AS n FROM sales GROUP BY region ORDER BY n DESC, region
SELECT region, sum(n) AS n FROM sales GROUP BY 1 HAVING sum(n) > 2 ORDER BY 2
SELECT n % 2 AS n, count(*) FROM sales GROUP BY n ORDER BY 1, 2
SELECT n % 2 AS odd, count(*) FROM sales GROUP BY odd ORDER BY odd
SELECT -n AS n FROM sales ORDER BY n
SELECT -n AS n FROM sales ORDER BY n + 0
SELECT price FROM sales ORDER BY price
SELECT price FROM sales ORDER BY price DESC
SELECT price FROM sales ORDER BY price DESC NULLS LAST
SELECT k FROM sales ORDER BY k NULLS FIRST LIMIT 2 OFFSET 1
SELECT DISTINCT region FROM sales ORDER BY region
SELECT DISTINCT ON (region) region, n FROM sales ORDER BY region, n DESC
SELECT k FROM sales UNION SELECT k FROM base
SELECT k FROM sales UNION ALL SELECT k FROM base ORDER BY k DESC
SELECT k FROM sales INTERSECT SELECT k FROM base EXCEPT SELECT 'y'
SELECT k FROM sales EXCEPT ALL SELECT k FROM base
SELECT 1 AS x UNION SELECT 2 INTERSECT SELECT 3 ORDER BY x
WITH t AS (SELECT region, sum(n) AS n FROM sales GROUP BY region) SELECT region, n, rank() OVER (ORDER BY n DESC) FROM t
WITH t AS (SELECT sum(n), count(*) FROM sales) SELECT t.sum + t.count FROM t
WITH sales AS (SELECT k, n FROM base) SELECT s.k, s.n, o.n FROM sales s JOIN public.sales o ON o.k = s.k
SELECT q.x, q.y FROM (SELECT n, count(*) FROM base GROUP BY n) AS q(x, y)
SELECT s.k, l.n FROM sales s CROSS JOIN LATERAL (SELECT max(b.n) AS n FROM base b WHERE b.k = s.k) l
SELECT k, (SELECT sum(b.n) FROM base b WHERE b.k = s.k) FROM sales s
SELECT k FROM sales s WHERE EXISTS (SELECT 1 FROM base b WHERE b.k = s.k)
SELECT k FROM sales WHERE k IN (SELECT k FROM base)
SELECT k FROM sales WHERE k NOT IN (SELECT k FROM base)
SELECT k FROM sales WHERE k NOT IN (SELECT k FROM base WHERE k IS NOT NULL)
SELECT k FROM sales WHERE n > ALL (SELECT n FROM base WHERE n < 3)
SELECT k FROM sales WHERE n = ANY (SELECT n FROM base)
SELECT k, row_number() OVER w, lag(n) OVER w, lead(n, 1, 0::bigint) OVER w FROM sales WINDOW w AS (ORDER BY n)
SELECT n, sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM sales
SELECT n, sum(n) OVER (ORDER BY n), last_value(n) OVER (ORDER BY n), first_value(n) OVER (ORDER BY n DESC) FROM sales
SELECT n, sum(n) OVER (ORDER BY n GROUPS 1 PRECEDING), ntile(3) OVER (ORDER BY n), nth_value(n, 2) OVER (ORDER BY n) FROM sales
SELECT n, percent_rank() OVER (ORDER BY n), cume_dist() OVER (ORDER BY n), dense_rank() OVER (ORDER BY region) FROM sales
SELECT k, n * 100.0 / sum(n) OVER (PARTITION BY region) FROM sales
SELECT price, rank() OVER (ORDER BY price DESC), row_number() OVER (ORDER BY price DESC, n) FROM sales
SELECT region, grouping(region), sum(n) FROM sales GROUP BY ROLLUP (region)
SELECT region, ok, grouping(region, ok), count(*) FROM sales GROUP BY CUBE (region, ok)
SELECT region, ok, count(*) FROM sales GROUP BY GROUPING SETS ((region, ok), (region), ())
SELECT count(*) FILTER (WHERE ok), bool_and(ok), bool_or(ok), every(n > 0) FROM sales
SELECT count(DISTINCT (region, ok)) FROM sales
SELECT string_agg(region, ', ' ORDER BY n DESC), string_agg(DISTINCT region, '+' ORDER BY region) FROM sales
SELECT string_agg(n::text, '|' ORDER BY n) FROM base
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n), percentile_cont(0.25) WITHIN GROUP (ORDER BY n DESC) FROM sales
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY n), percentile_disc(0.25) WITHIN GROUP (ORDER BY n DESC) FROM sales
SELECT mode() WITHIN GROUP (ORDER BY region), mode() WITHIN GROUP (ORDER BY n DESC) FROM sales
SELECT stddev(n), stddev_pop(n), variance(n), var_pop(n), var_samp(n), stddev_samp(share) FROM sales WHERE n < 9
SELECT corr(n, whole), covar_pop(n, whole), covar_samp(n, whole), regr_slope(n, whole), regr_intercept(n, whole), regr_count(n, whole) FROM base
SELECT corr(n, 1), regr_slope(n, 1), stddev(n) FROM base WHERE k = 'w'
SELECT corr(n, n - n), regr_slope(n, n - n) FROM base
SELECT round(price), round(price, 2), round(price, 1), trunc(price, 1), trunc(price), ceil(price), floor(price) FROM sales
SELECT round(n, -1), round(n / 7.0, 3), round(avg(price), 2), round(sum(n) / 3.0, 1) FROM sales GROUP BY n
SELECT price::int, (price * 2)::bigint, (n / 2.0)::int, avg(n)::bigint FROM sales WHERE n < 10 GROUP BY price, n
SELECT 0.5::int, 1.5::int, 2.5::int, -2.5::int, '7'::int, true::int, (n > 2)::int, ok::int FROM sales
SELECT sum((n > 2)::int), sum(CASE WHEN ok THEN 1 ELSE 0 END), avg(CASE WHEN ok THEN 1.0 ELSE 0 END) FROM sales
SELECT price::numeric(10, 2), price::numeric(4, 1), (share * 3)::numeric(10, 3), 7::numeric FROM sales
SELECT price::text, n::text, ok::text, day::text, at::text, k::text FROM sales WHERE n < 5
SELECT k || '-' || n, n || '%', region || ok, 'd' || day FROM sales
SELECT (share * 2)::text, '~' || share FROM sales WHERE n < 5
SELECT concat(k, n, NULL, ok), concat_ws('/', k, region, n) FROM sales
SELECT lower(k), upper(region), length(region), left(region, 2), left(region, -1), right(region, 2), right(region, -1) FROM sales WHERE n < 5
SELECT substring(k FROM 2 FOR 2), substr(region, 2), substring(k, 0, 3), substring(k, strpos(k, 'o') + 1) FROM sales
SELECT position('o' IN region), strpos(region, 'z'), split_part(region, 'o', 2), split_part(k, ' ', -1), replace(region, 'o', '0') FROM sales
SELECT trim(' a '), btrim('xxaxx', 'x'), ltrim('xa', 'x'), rtrim('ax', 'x'), lpad('a', 3), lpad('abc', 2, 'x'), rpad('a', 3, 'xy'), reverse('abc'), md5('a')
SELECT k FROM sales WHERE k LIKE '10\\%%'
SELECT k FROM sales WHERE k LIKE '%\\_' OR region LIKE 'n_rt%'
SELECT k FROM sales WHERE k LIKE '10!%%' ESCAPE '!'
SELECT k, region FROM sales WHERE region ILIKE 'NORTH' OR region ILIKE 'Ä%' OR k NOT LIKE '%(%'
SELECT k FROM sales WHERE k LIKE 'a%b_c%'
SELECT city FROM base WHERE city ILIKE 'PUNE' OR city LIKE 'p.ne' OR city LIKE '[D]elhi'
SELECT region ~ 'o', region ~ '^n', region ~ 'th$', region !~ 'o', region ~* 'NORTH', region !~* 'S', k ~ 'a.b', k ~ '\\d\\d' FROM sales
SELECT k FROM sales WHERE region ~ '^(n|s)o[r(u]t?(t|th)$' OR k ~ '[(]' OR region ~ 'Ze{0,1}d' OR k ~ '[\\]\\)]' OR k ~ 'a\\sb'
SELECT day + 1, day - 7, day - date '2026-01-01', day + interval '1 month', day > '2026-01-31', day - interval '1 day' FROM sales
SELECT at - timestamp '2026-01-01', at + interval '36 hours', at::date, day::timestamp, at < seen FROM sales
SELECT seen, seen::date, extract(year FROM seen), min(seen) OVER () FROM sales
SELECT extract(year FROM day), extract(month FROM day), extract(quarter FROM day), extract(week FROM day), extract(isoyear FROM day), extract(doy FROM day) FROM sales
SELECT extract(dow FROM day), extract(isodow FROM day), date_part('day', at), extract(hour FROM at), extract(minute FROM at), extract(epoch FROM at) FROM sales
SELECT date_trunc('month', at), date_trunc('week', at), date_trunc('quarter', at), date_trunc('day', at), date_trunc('year', at) FROM sales
SELECT date_trunc('month', seen), date_trunc('month', day)::date, date_trunc('week', day)::date FROM sales
SELECT to_char(day, 'YYYY-MM'), to_char(day, 'IYYY-"W"IW'), to_char(at, 'DD.MM.YY HH24:MI:SS'), to_char(day, 'Mon YYYY'), to_char(day, 'FMMonth Dy') FROM sales
SELECT make_date(2026, 2, 3), date '2026-01-05', '2026-01-05 10:00'::timestamp, timestamptz '2026-01-05 10:00+05:30'
SELECT CASE region WHEN 'north' THEN 'N' WHEN NULL THEN '?' ELSE 'other' END, CASE WHEN ok THEN 1 WHEN n > 4 THEN 2 END FROM sales
SELECT coalesce(price, 0), coalesce(k, 'none'), nullif(n, 2), greatest(n, 3, NULL), least(price, 5) FROM sales
SELECT ok IS TRUE, ok IS NOT TRUE, ok IS UNKNOWN, ok IS NOT FALSE, NOT ok, k IS NULL, ok AND n > 1 OR NOT ok FROM sales
SELECT k IS DISTINCT FROM 'x', price IS NOT DISTINCT FROM NULL, n BETWEEN 2 AND 4, n NOT BETWEEN 2 AND 4, k IN ('x', NULL), n NOT IN (1, 2) FROM sales
SELECT abs(price), sign(price), sqrt(n), exp(share), ln(n), log(n), log(2, 8), power(n, 0.5), n ^ 2, -2 ^ 2, 2 ^ 3 ^ 2, mod(n, 2), n % 3, -7 % 3 FROM sales
SELECT 2 + 3 * 4 - 6 / 4.0, (2 + 3) * 4, NOT 1 = 2, (1 < 2) = true, - (-5), (1 = 1) IS NULL, 'a' || 'b' = 'ab'
SELECT 0.1 + 0.2, 1e3, .5, 5., 12345678901234567890, 1.50, 0.1 = 0.10
SELECT 'it''s', E'a\\\\b\\n"c"', '', NULL, true, '$1 {x} -- /* */ ;', 'ünï'
SELECT "Odd Name", "A", a, "A" + a AS "Total", a AS total FROM sales ORDER BY "Total" DESC
SELECT q."X", q.x FROM (SELECT "A" AS "X", a AS x FROM sales) q
SELECT n AS "order", k AS "select", region AS "a""b^c" FROM sales ORDER BY "order"
SELECT anti.k, semi.k FROM sales anti JOIN base semi ON anti.k = semi.k
SELECT qualify.n FROM sales qualify WHERE qualify.n > 2
SELECT count(*) FROM sales pivot, base summarize
SELECT price = 'NaN'::float8, 'NaN'::float8 > 1e300, 'Infinity'::float8, share FROM sales ORDER BY share
SELECT whole, whole / 2, whole * 1.5, whole::int / 2.0, sum(whole) OVER () FROM base
SELECT (VALUES (1)), x, y FROM (VALUES (1, 'a'), (2, NULL)) AS v(x, y)
SELECT column1 FROM (VALUES (3), (1)) v ORDER BY column1
VALUES (1, 'a'), (2, 'b')
SELECT price / n AS per, price * n, n + price, n - share FROM sales WHERE n < 10
SELECT any_value(city) FROM base WHERE city = 'Goa'
SELECT seen + interval '1 month', seen - seen, at + interval '1 day 2 hours', day - interval '1 week' FROM sales
SELECT round(price::numeric, 1)::text || '%', coalesce(k, '0.5'), k = '1.10', whole FROM sales LEFT JOIN base USING (k)
SELECT region AS k, count(*) FROM sales WHERE k IS NOT NULL GROUP BY region HAVING count(*) > 0 AND max(k) > 'a'
SELECT DISTINCT region AS r FROM sales ORDER BY r DESC LIMIT 2
SELECT k FROM sales ORDER BY n LIMIT ALL OFFSET 2
SELECT starts_with(region, 'no'), char_length(region), ascii(region) FROM sales
SELECT region, count(*) AS sum, sum(n) AS count FROM sales GROUP BY region ORDER BY sum, count
SELECT * FROM (sales s LEFT JOIN base b USING (k)) JOIN nothing USING (k)
SELECT upper(region) AS region, count(*) FROM sales GROUP BY region
SELECT k AS region, region AS k FROM sales ORDER BY region, k
SELECT DISTINCT ON (k) n AS k FROM sales ORDER BY k
SELECT DISTINCT n % 2, ok FROM sales ORDER BY 2 DESC, 1
SELECT region, sum(sum(n)) OVER (ORDER BY region) FROM sales GROUP BY region
SELECT q.t::int, q.ok::int FROM (SELECT n > 2 AS t, ok FROM sales) q
SELECT sum(ok::int), avg(ok::int), sum((ok IS TRUE)::int) * 100.0 / count(*) FROM sales
SELECT NULL = NULL, NULL IN (1), 1 IN (1, NULL), 2 NOT IN (1, NULL), NULL IS NULL
SELECT k LIKE '', '' LIKE '%', 'a' LIKE 'A', NULL LIKE 'a', 'a\\b' LIKE 'a\\\\b', 'aab' LIKE '%ab' FROM sales
SELECT round(-2.5), round(-0.5), round(123456.789, -2), trunc(-1.29, 1), ceil(-0.5), 10 % 3.5, -10 % 3.5
SELECT date '2026-01-31' + interval '1 month', timestamp '2026-03-31 10:00' - interval '1 month', interval '1 day' * 3
SELECT extract(week FROM date '2025-12-29'), extract(isoyear FROM date '2025-12-29'), extract(epoch FROM at - day) FROM sales
SELECT day, count(*) OVER (ORDER BY day RANGE BETWEEN interval '40 days' PRECEDING AND CURRENT ROW) FROM sales WHERE n < 3
SELECT seen - interval '1 month', seen = '2026-01-31 08:00:00+00', seen::text, (at - timestamp '2026-01-01')::text FROM sales
SELECT stddev(n), corr(n, n), percentile_cont(0.5) WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY n) FROM nothing
""".strip().split("\n")  # noqa: E501  # one statement a line


@pytest.fixture(scope="module")
def session(postgres_superuser_dsn: str) -> Iterator[psycopg.Connection]:
    """PostgreSQL with the tables, in a schema of its own that goes with the transaction."""
    with psycopg.connect(postgres_superuser_dsn, options="-c timezone=UTC") as connection:
        connection.execute(TABLES.encode())
        yield connection
        connection.rollback()


def ask(session: psycopg.Connection, sql: str) -> QueryResult:
    """As the executor does: every cell as PostgreSQL prints it."""
    with session.transaction(force_rollback=True), psycopg.RawCursor(session) as cursor:
        cursor.execute(sql.encode())
        pgresult = cursor.pgresult
        assert pgresult is not None
        columns = tuple(
            Column(column.name, kind.name if (kind := session.adapters.types.get(column.type_code)) else "text")
            for column in cursor.description or ()
        )
        cells = tuple(
            tuple(shown(pgresult.get_value(row, place), columns[place].type) for place in range(len(columns)))
            for row in range(pgresult.ntuples)
        )
    return QueryResult(columns, cells)


def shown(value: bytes | None, kind: str) -> str | None:
    if value is None or kind != "bool":
        return None if value is None else value.decode()
    return "true" if value == b"t" else "false"


@pytest.fixture(scope="module")
def inputs(session: psycopg.Connection) -> dict[str, QueryResult]:
    return {label: ask(session, f"SELECT * FROM {label}") for label in LABELS}


def run(sql: str, inputs: dict[str, QueryResult]) -> tuple[list[str], list[tuple[object, ...]]]:
    printed = build_combined(sql, inputs, max_rows=1000)
    connection = connect()
    for label, result in inputs.items():
        load(connection, label, result)
    lock(connection)
    columns, statement = describe(connection, printed)
    return [column.name for column in columns], connection.execute(statement).fetchall()


def plain(value: object) -> object:
    """A cell for comparing: numbers by nine digits, dates that are midnights as dates."""
    if value is None or isinstance(value, bool):
        return {None: None, True: "true", False: "false"}[value]
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return f"{float(number):.9g}" if math.isfinite(number) else str(value).lower().replace("infinity", "inf")


def comparable(rows: list[tuple[object, ...]], ordered: bool) -> list[tuple[object, ...]]:
    made = [tuple(map(plain, row)) for row in rows]
    return made if ordered else sorted(made, key=repr)


@pytest.mark.parametrize("sql", SAME)
def test_answers_as_postgresql_does(sql: str, session: psycopg.Connection, inputs: dict[str, QueryResult]) -> None:
    wanted = ask(session, sql)

    names, rows = run(sql, inputs)

    ordered = re.search(r"ORDER BY [^()]*$", sql) is not None
    assert names == [column.name for column in wanted.columns]
    assert comparable(rows, ordered) == comparable(list(wanted.cells), ordered)


def test_divides_whole_numbers_exactly(inputs: dict[str, QueryResult]) -> None:
    assert run("SELECT 7 / 2, n / 2 FROM sales WHERE n = 1", inputs)[1] == [(3.5, 0.5)]


REFUSED = """
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('/etc/passwd')
SELECT * FROM glob('/*')
SELECT * FROM "/etc/passwd"
SELECT * FROM "read_csv('/etc/passwd')"
SELECT * FROM 'file.csv'
SELECT * FROM LABELS
SELECT * FROM inputs
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_tables
SELECT * FROM information_schema.tables
SELECT * FROM pg_catalog.pg_class
SELECT * FROM sqlite_master
SELECT * FROM main.sales
SELECT * FROM memory.main.sales
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('sales')
SELECT * FROM generate_series(1, 3)
SELECT * FROM unnest(ARRAY[1])
SELECT * FROM sales TABLESAMPLE BERNOULLI (10)
SELECT * FROM sales NATURAL JOIN base
SELECT j.k FROM (sales JOIN base USING (k)) AS j
SELECT getenv('HOME')
SELECT current_setting('home_directory')
SELECT current_setting('timezone')
SELECT version()
SELECT current_user
SELECT current_date
SELECT now()
SELECT random()
SELECT error('x')
SELECT write_log('x')
SELECT _mcpa_exact(1)
SELECT COLUMNS('.*') FROM sales
SELECT rowid FROM sales
SELECT sales FROM sales
SELECT count(sales.*) FROM sales
SELECT (sales).k FROM sales
SELECT public.sales.k FROM sales
SELECT nope FROM sales
SELECT s.nope FROM sales s
SELECT sales.k FROM sales s
SELECT k FROM sales, base
SELECT q.n FROM (SELECT n, n FROM sales) q
SELECT * FROM sales JOIN base USING (k) JOIN nothing ON true JOIN base b2 USING (n)
SELECT n, n FROM sales ORDER BY n
SELECT 1; SELECT 2
COPY sales TO '/tmp/x'
COPY (SELECT 1) TO '/tmp/x'
COPY sales FROM '/etc/passwd'
ATTACH ':memory:' AS m
ATTACH '/tmp/x.db' AS m
INSTALL httpfs
LOAD httpfs
LOAD '/tmp/x.so'
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
PRAGMA version
SET threads = 4
RESET threads
SHOW timezone
EXPLAIN SELECT 1
CREATE SECRET s (TYPE s3)
CREATE TABLE t AS SELECT 1
CREATE MACRO m(x) AS x
CALL pragma_version()
DELETE FROM sales
SELECT 1 INTO t
SELECT k FROM sales FOR UPDATE
DESCRIBE sales
FROM sales
SUMMARIZE sales
PIVOT sales ON k
SELECT 'a' SIMILAR TO 'b'
SELECT k FROM sales WHERE k LIKE region
SELECT k FROM sales WHERE k ~ region
SELECT k FROM sales WHERE k ~ '\\mx'
SELECT k FROM sales WHERE k ~ '\\bx'
SELECT k FROM sales WHERE k ~ '\\w+'
SELECT k FROM sales WHERE k ~ '[[:alpha:]]'
SELECT k FROM sales WHERE k ~ '(?i)x'
SELECT k FROM sales WHERE k ~ '(x{1,30}){1,30}'
SELECT k FROM sales WHERE k ~ 'x{1,300}'
SELECT k FROM sales WHERE n < '5.4'
SELECT n + '0.5' FROM sales
SELECT coalesce(n, '0.5') FROM sales
SELECT regexp_replace(k, 'a', 'b') FROM sales
SELECT substr(k, -1) FROM sales
SELECT substring(k, 1, n::int) FROM sales
SELECT to_char(n, '999') FROM sales
SELECT to_char(day, 'Month') FROM sales
SELECT to_char(day, 'YYYY%s') FROM sales
SELECT extract(second FROM at) FROM sales
SELECT date_trunc('decade', at) FROM sales
SELECT interval '1.5 months'
SELECT interval 'P1M'
SELECT split_part(k, '', 1) FROM sales
SELECT split_part(k, region, 1) FROM sales
SELECT repeat('a', 1000000000)
SELECT lpad('a', 1000000000)
SELECT replace(k, 'a', region) FROM sales
SELECT replace(k, 'a', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbb') FROM sales
SELECT k::varchar(3) FROM sales
SELECT n::real FROM sales
SELECT n::money FROM sales
SELECT k::json FROM sales
SELECT ARRAY[1, 2]
SELECT array_agg(n) FROM sales
SELECT (1, NULL) = (1, NULL)
SELECT n FROM sales WHERE (k, n) IN (SELECT k, n FROM base)
SELECT n = ANY (ARRAY[1, 2]) FROM sales
SELECT n IN (1, 2) AND n BETWEEN SYMMETRIC 2 AND 1 FROM sales
SELECT k FROM sales ORDER BY k COLLATE "C"
SELECT k FROM sales ORDER BY k USING <
SELECT k FROM sales ORDER BY n FETCH FIRST 1 ROW WITH TIES
SELECT k FROM sales LIMIT (SELECT 1)
SELECT round(price, n::int) FROM sales
SELECT round(price, 20) FROM sales
SELECT percentile_cont(ARRAY[0.5]) WITHIN GROUP (ORDER BY n) FROM sales
SELECT rank(3) WITHIN GROUP (ORDER BY n) FROM sales
SELECT n FROM sales GROUP BY DISTINCT n
SELECT B'101'
SELECT FROM sales
SELECT _mcpa_x FROM (SELECT 1 AS _mcpa_x) q
SELECT at AT TIME ZONE 'Asia/Kolkata' FROM sales
SELECT age(at) FROM sales
SELECT 1 WHERE $1
WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT * FROM r
WITH d AS (DELETE FROM sales RETURNING *) SELECT * FROM d
""".strip().split("\n")


@pytest.mark.parametrize("sql", REFUSED)
def test_refuses_what_would_escape_or_answer_otherwise(sql: str, inputs: dict[str, QueryResult]) -> None:
    with pytest.raises(RequestError) as caught:
        build_combined(sql, inputs, max_rows=10)

    assert caught.value.message
    assert caught.value.hint


def test_names_the_nearest_label_and_column(inputs: dict[str, QueryResult]) -> None:
    with pytest.raises(NameNotFound) as label:
        build_combined("SELECT * FROM sale", inputs, max_rows=10)
    with pytest.raises(NameNotFound) as column:
        build_combined("SELECT s.regoin FROM sales s", inputs, max_rows=10)

    assert "sales" in label.value.hint
    assert "region" in column.value.hint


def test_says_which_labels_there_are_when_none_is_near(inputs: dict[str, QueryResult]) -> None:
    with pytest.raises(NameNotFound) as caught:
        build_combined("SELECT zzz FROM nothing", inputs, max_rows=10)

    assert "nothing (k, n, price)" in caught.value.hint
    assert "describe_dataset" not in caught.value.hint


@pytest.mark.parametrize("label", ["a", "sales_2025", "values", "q1", "x" * 40])
def test_admits_labels_that_stand_without_quotes(label: str) -> None:
    check_label(label)


@pytest.mark.parametrize(
    "label", ["", "A", "1a", "_a", "a-b", "a b", "a\n", "é", "x" * 41, "order", "user", "pg_x", "left"]
)
def test_refuses_labels_that_would_need_quotes(label: str) -> None:
    with pytest.raises(InvalidRequest):
        check_label(label)


def test_numbers_columns_of_the_same_name() -> None:
    names = ("n", "n_2", "n", "n", "m")

    found = column_names(QueryResult(tuple(Column(name, "text") for name in names), ()))

    assert found == ("n", "n_2", "n_3", "n_4", "m")


def test_keeps_names_apart_that_differ_by_case_only() -> None:
    assert len({quote(name).lower() for name in ("A", "a", "^a", "^A", "aA", "Aa")}) == 6


@pytest.mark.parametrize(
    ("pattern", "regex"),
    [("50\\% _%", "50% ..*"), ("a.b", "a\\.b"), ("(x)|[y]", "\\(x\\)\\|\\[y\\]"), ("\\\\", "\\\\"), ("", "")],
)
def test_writes_like_as_a_regular_expression(pattern: str, regex: str) -> None:
    assert like_to_regex(pattern, "\\") == regex


@pytest.mark.parametrize(
    ("regex", "positions"),
    [("abc", 3), ("a[bc]{3}|d", 6), ("[]a]\\d{2,}", 4), ("(a{0,9}x)?", 11), ("^.*$", 4), ("\\.\\[", 2), ("", 0)],
)
def test_counts_positions_with_repetitions_written_out(regex: str, positions: int) -> None:
    assert count_positions(regex) == positions


@pytest.mark.parametrize(
    ("test", "is_short"),
    [
        ("LIKE '%abc%d_'", True),
        ("LIKE '_a__%b%'", False),
        ("LIKE '%50\\_%'", False),
        ("ILIKE '" + "%a" * 50 + "'", False),
        ("~ 'amul|nestle|^a\\.b$'", False),
        ("~ 'gold.*silver'", False),
        ("~ '^[A-Z]{2}\\d{4}.$'", False),
        ("~ '[A-Z]{2}\\d{4}'", True),
        ("~ 'gold.*silver|b'", True),
        ("~ '(a|b)'", True),
        ("~ '^a+$'", True),
        ("~ 'a.'", True),
    ],
)
def test_only_patterns_that_may_be_slow_need_short_texts(
    test: str, is_short: bool, inputs: dict[str, QueryResult]
) -> None:
    assert ("_mcpa_brief(" in build_combined(f"SELECT k FROM sales WHERE k {test}", inputs, max_rows=10)) is is_short


@pytest.mark.parametrize(
    "test",
    [
        "k LIKE '%a" + "_" * 60 + "'",
        "k ~ 'a.{50}'",
        "k ~ 'a.{50,}'",
        "k ~ 'a.{25}' AND region ~ 'a.{25}'",
        "k ~ '(" + "|" * 60 + "a)*'",
    ],
)
def test_refuses_patterns_that_are_slow_together(test: str, inputs: dict[str, QueryResult]) -> None:
    with pytest.raises(QueryRefused, match="Patterns of more than 50"):
        build_combined(f"SELECT k FROM sales WHERE {test}", inputs, max_rows=10)


LARGE = {
    "a sum": "SELECT " + "+".join(["1"] * 1900),
    "calls": "SELECT " + "abs(" * 900 + "1" + ")" * 900,
    "sub-selects": "SELECT " + "(SELECT " * 900 + "1" + ")" * 900,
    "a union": " UNION ALL ".join(["SELECT 1"] * 900),
    "texts": "SELECT " + " || ".join(["k"] * 60) + " FROM sales",
    "joins": "SELECT 1 FROM " + " CROSS JOIN ".join(f"sales s{i}" for i in range(500)),
}


@pytest.mark.parametrize("sql", [pytest.param(sql, id=name) for name, sql in LARGE.items()])
def test_refuses_what_is_nested_too_deeply_or_makes_too_many_texts(sql: str, inputs: dict[str, QueryResult]) -> None:
    with pytest.raises(QueryRefused):
        build_combined(sql, inputs, max_rows=10)


def test_admits_brackets_that_mean_nothing(inputs: dict[str, QueryResult]) -> None:
    assert run("SELECT " + "(" * 1500 + "1" + ")" * 1500, inputs)[1] == [("1",)]


def test_a_sum_over_thirty_labels_is_answered(inputs: dict[str, QueryResult]) -> None:
    many = {f"q{i}": inputs["base"] for i in range(30)}
    total = " + ".join(f"(SELECT sum(n) FROM q{i})" for i in range(30))
    together = " UNION ALL ".join(f"SELECT * FROM q{i}" for i in range(30))

    assert run(f"SELECT {total}", many)[1] == [("480",)]
    assert run(f"SELECT count(*) FROM ({together}) t", many)[1] == [("150",)]


def test_refuses_to_spread_stars_without_end(inputs: dict[str, QueryResult]) -> None:
    levels = ", ".join(f"t{i} AS (SELECT x.*, y.* FROM t{i - 1} x, t{i - 1} y)" for i in range(1, 20))

    with pytest.raises(QueryRefused):
        build_combined(f"WITH t0 AS (SELECT * FROM sales), {levels} SELECT 1 FROM t19", inputs, max_rows=10)
