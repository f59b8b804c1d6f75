--# textin in the output
SELECT textin('x')

--# regclassin in a filter
SELECT name FROM users WHERE regclassin('salaries') IS NOT NULL

--# regclassout in FROM
SELECT * FROM regclassout(1) AS f

--# int4in in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT int4in('1'))

--# record_out in the output
SELECT record_out(ROW(1))

--# int4send in a filter
SELECT name FROM users WHERE int4send(1) IS NOT NULL

--# int4recv in FROM
SELECT * FROM int4recv('x') AS f

--# array_in in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT array_in('x', 0, 0))

--# cstring_out in the output
SELECT cstring_out('x')

--# currtid2 in a filter
SELECT name FROM users WHERE currtid2('users', '(0,1)') IS NOT NULL

--# pg_nextoid in FROM
SELECT * FROM pg_nextoid('pg_class', 'oid', 'pg_class_oid_index') AS f
