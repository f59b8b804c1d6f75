--# a qualified and quoted built-in
--: does waits
SELECT "pg_catalog"."pg_sleep"(1)

--# upper case
--: does waits
SELECT PG_SLEEP(1)

--# an escaped name
--: does waits
SELECT U&"\0070g_sleep"(1)

--# an argument of an allowed function
--: does shows
SELECT upper(pg_read_file('/etc/passwd'))

--# an aggregate's FILTER
--: does waits
SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM users

--# an aggregate's ORDER BY
--: does waits
SELECT array_agg(name ORDER BY pg_sleep(1)) FROM users

--# a window's PARTITION BY
--: does waits
SELECT rank() OVER (PARTITION BY pg_sleep(1)) FROM users

--# a named window
--: does changes
SELECT rank() OVER w FROM users WINDOW w AS (ORDER BY pg_advisory_lock(1))

--# a window frame's offset
--: does shows
SELECT sum(user_id) OVER (ROWS pg_backend_pid() PRECEDING) FROM users

--# GROUP BY
--: does waits
SELECT count(*) FROM users GROUP BY pg_sleep(1)

--# GROUPING SETS
--: does waits
SELECT count(*) FROM users GROUP BY GROUPING SETS ((pg_sleep(1)), ())

--# HAVING
--: does waits
SELECT count(*) FROM users HAVING pg_sleep(1) IS NULL

--# LIMIT
--: does shows
SELECT * FROM users LIMIT pg_backend_pid()

--# OFFSET
--: does shows
SELECT * FROM users OFFSET pg_backend_pid()

--# DISTINCT ON
--: does waits
SELECT DISTINCT ON (pg_sleep(1)) name FROM users

--# a JOIN condition
--: does waits
SELECT 1 FROM users u JOIN events e ON pg_sleep(1) IS NULL

--# VALUES
--: does shows
VALUES (1), (pg_backend_pid())

--# ROWS FROM
--: does shows
SELECT * FROM ROWS FROM (generate_series(1, 2), pg_ls_dir('.')) AS x

--# LATERAL
--: does fails
SELECT * FROM users, LATERAL pg_ls_dir(name) AS f

--# TABLESAMPLE's argument
--: does shows
SELECT * FROM users TABLESAMPLE bernoulli (pg_backend_pid())

--# TABLESAMPLE's REPEATABLE
--: does shows
SELECT * FROM users TABLESAMPLE bernoulli (10) REPEATABLE (pg_backend_pid())

--# a TABLESAMPLE method of an extension
--: does fails
SELECT * FROM users TABLESAMPLE system_rows (10)

--# CASE
--: does waits
SELECT CASE WHEN pg_sleep(1) IS NULL THEN 1 ELSE 2 END

--# COALESCE, GREATEST and NULLIF
--: does shows
SELECT coalesce(1, greatest(2, nullif(3, pg_backend_pid())))

--# an array element and a slice
--: does shows
SELECT (ARRAY[1, 2])[pg_backend_pid():2]

--# an ARRAY constructor
--: does shows
SELECT ARRAY[pg_backend_pid()]

--# a row
--: does shows
SELECT ROW(1, (2, pg_backend_pid()))

--# IN
--: does shows
SELECT 1 WHERE 1 IN (2, pg_backend_pid())

--# BETWEEN
--: does shows
SELECT 1 WHERE 1 BETWEEN pg_backend_pid() AND 2

--# a named argument
--: does shows
SELECT make_interval(days => pg_backend_pid())

--# VARIADIC
--: does shows
SELECT concat(VARIADIC ARRAY[pg_read_file('/etc/passwd')])

--# a recursive CTE
--: does waits
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT pg_backend_pid() FROM r) SELECT * FROM r

--# a CTE that nobody reads
--: does waits
WITH x AS MATERIALIZED (SELECT pg_sleep(1)) SELECT 1

--# JSON_TABLE
--: does shows
SELECT * FROM JSON_TABLE(pg_read_file('x')::jsonb, '$[*]' COLUMNS (a int PATH '$.a')) AS j

--# JSON_VALUE's default
--: does shows
SELECT JSON_VALUE('{}'::jsonb, '$.a' DEFAULT pg_read_file('x') ON EMPTY)

--# JSON_OBJECT
--: does shows
SELECT JSON_OBJECT('a': pg_backend_pid())

--# JSON_ARRAYAGG
--: does shows
SELECT JSON_ARRAYAGG(pg_backend_pid())

--# XMLELEMENT
--: does shows
SELECT xmlelement(name a, pg_read_file('x'))

--# XMLTABLE
--: does shows
SELECT * FROM XMLTABLE('/a' PASSING (pg_read_file('x')::xml) COLUMNS b text PATH 'b') AS x

--# AT TIME ZONE
--: does shows
SELECT now() AT TIME ZONE pg_read_file('x')

--# SIMILAR TO and ESCAPE
--: does shows
SELECT 'a' SIMILAR TO 'b' ESCAPE pg_read_file('x')

--# a COLLATE's argument
--: does shows
SELECT pg_read_file('x') COLLATE "C"

--# IS JSON
--: does shows
SELECT pg_read_file('x') IS JSON

--# IS DISTINCT FROM
--: does shows
SELECT 1 IS DISTINCT FROM pg_backend_pid()

--# a comparison with ANY
--: does shows
SELECT 1 = ANY (ARRAY[pg_backend_pid()])

