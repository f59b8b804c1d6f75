--# a qualified and quoted built-in
SELECT "pg_catalog"."pg_sleep"(1)

--# upper case
SELECT PG_SLEEP(1)

--# an escaped name
SELECT U&"\0070g_sleep"(1)

--# an argument of an allowed function
SELECT upper(pg_read_file('/etc/passwd'))

--# an aggregate's FILTER
SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM users

--# an aggregate's ORDER BY
SELECT array_agg(name ORDER BY pg_sleep(1)) FROM users

--# a window's PARTITION BY
SELECT rank() OVER (PARTITION BY pg_sleep(1)) FROM users

--# a named window
SELECT rank() OVER w FROM users WINDOW w AS (ORDER BY pg_advisory_lock(1))

--# a window frame's offset
SELECT sum(user_id) OVER (ROWS pg_backend_pid() PRECEDING) FROM users

--# GROUP BY
SELECT count(*) FROM users GROUP BY pg_sleep(1)

--# GROUPING SETS
SELECT count(*) FROM users GROUP BY GROUPING SETS ((pg_sleep(1)), ())

--# HAVING
SELECT count(*) FROM users HAVING pg_sleep(1) IS NULL

--# LIMIT
SELECT * FROM users LIMIT pg_backend_pid()

--# OFFSET
SELECT * FROM users OFFSET pg_backend_pid()

--# DISTINCT ON
SELECT DISTINCT ON (pg_sleep(1)) name FROM users

--# a JOIN condition
SELECT 1 FROM users u JOIN events e ON pg_sleep(1) IS NULL

--# VALUES
VALUES (1), (pg_backend_pid())

--# ROWS FROM
SELECT * FROM ROWS FROM (generate_series(1, 2), pg_ls_dir('.')) AS x

--# LATERAL
SELECT * FROM users, LATERAL pg_ls_dir(name) AS f

--# TABLESAMPLE's argument
SELECT * FROM users TABLESAMPLE bernoulli (pg_backend_pid())

--# TABLESAMPLE's REPEATABLE
SELECT * FROM users TABLESAMPLE bernoulli (10) REPEATABLE (pg_backend_pid())

--# a TABLESAMPLE method of an extension
SELECT * FROM users TABLESAMPLE system_rows (10)

--# CASE
SELECT CASE WHEN pg_sleep(1) IS NULL THEN 1 ELSE 2 END

--# COALESCE, GREATEST and NULLIF
SELECT coalesce(1, greatest(2, nullif(3, pg_backend_pid())))

--# an array element and a slice
SELECT (ARRAY[1, 2])[pg_backend_pid():2]

--# an ARRAY constructor
SELECT ARRAY[pg_backend_pid()]

--# a row
SELECT ROW(1, (2, pg_backend_pid()))

--# IN
SELECT 1 WHERE 1 IN (2, pg_backend_pid())

--# BETWEEN
SELECT 1 WHERE 1 BETWEEN pg_backend_pid() AND 2

--# a named argument
SELECT make_interval(days => pg_backend_pid())

--# VARIADIC
SELECT concat(VARIADIC ARRAY[pg_read_file('/etc/passwd')])

--# a recursive CTE
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT pg_backend_pid() FROM r) SELECT * FROM r

--# a CTE that nobody reads
WITH x AS MATERIALIZED (SELECT pg_sleep(1)) SELECT 1

--# JSON_TABLE
SELECT * FROM JSON_TABLE(pg_read_file('x')::jsonb, '$[*]' COLUMNS (a int PATH '$.a')) AS j

--# JSON_VALUE's default
SELECT JSON_VALUE('{}'::jsonb, '$.a' DEFAULT pg_read_file('x') ON EMPTY)

--# JSON_OBJECT
SELECT JSON_OBJECT('a': pg_backend_pid())

--# JSON_ARRAYAGG
SELECT JSON_ARRAYAGG(pg_backend_pid())

--# XMLELEMENT
SELECT xmlelement(name a, pg_read_file('x'))

--# XMLTABLE
SELECT * FROM XMLTABLE('/a' PASSING (pg_read_file('x')::xml) COLUMNS b text PATH 'b') AS x

--# AT TIME ZONE
SELECT now() AT TIME ZONE pg_read_file('x')

--# SIMILAR TO and ESCAPE
SELECT 'a' SIMILAR TO 'b' ESCAPE pg_read_file('x')

--# a COLLATE's argument
SELECT pg_read_file('x') COLLATE "C"

--# IS JSON
SELECT pg_read_file('x') IS JSON

--# IS DISTINCT FROM
SELECT 1 IS DISTINCT FROM pg_backend_pid()

--# a comparison with ANY
SELECT 1 = ANY (ARRAY[pg_backend_pid()])

