--# textin in the output
--: does nothing
--: because this type's is harmless; the family is refused for those of types that look names up
SELECT textin('x')

--# regclassin in a filter
--: does shows
SELECT name FROM users WHERE regclassin('salaries') IS NOT NULL

--# regclassout in FROM
--: does nothing
--: because no table has the id 1
SELECT * FROM regclassout(1) AS f

--# int4in in a sub-select of ORDER BY
--: does nothing
--: because this type's is harmless; the family is refused for those of types that look names up
SELECT 1 ORDER BY (SELECT int4in('1'))

--# record_out in the output
--: does nothing
--: because this type's is harmless; the family is refused for those of types that look names up
SELECT record_out(ROW(1))

--# int4send in a filter
--: does nothing
--: because this type's is harmless; the family is refused for those of types that look names up
SELECT name FROM users WHERE int4send(1) IS NOT NULL

--# int4recv in FROM
--: does fails
SELECT * FROM int4recv('x') AS f

--# array_in in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT array_in('x', 0, 0))

--# cstring_out in the output
--: does nothing
--: because this type's is harmless; the family is refused for those of types that look names up
SELECT cstring_out('x')

--# currtid2 in a filter
--: does nothing
--: because it asks about a visible row
SELECT name FROM users WHERE currtid2('users', '(0,1)') IS NOT NULL

--# pg_nextoid in FROM
--: does nothing
--: because it uses up an id of the catalogue, which is not counted
SELECT * FROM pg_nextoid('pg_class', 'oid', 'pg_class_oid_index') AS f
