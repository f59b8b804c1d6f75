--# pg_class
--: does shows
SELECT * FROM pg_class

--# pg_catalog.pg_class
--: does shows
SELECT relname FROM pg_catalog.pg_class

--# passwords
--: does shows
SELECT rolname, rolpassword FROM pg_authid

--# pg_shadow
--: does shows
SELECT * FROM pg_shadow

--# pg_user in upper case
--: does shows
SELECT * FROM PG_USER

--# quoted pg_roles
--: does shows
SELECT * FROM "pg_roles"

--# pg_settings in a sub-select
--: does shows
SELECT (SELECT setting FROM pg_settings WHERE name = 'hba_file')

--# other sessions
--: does shows
SELECT query FROM pg_stat_activity

--# statistics with values of columns
--: does shows
SELECT most_common_vals FROM pg_stats

--# pg_statistic
--: does shows
SELECT * FROM pg_catalog.pg_statistic

--# large objects
--: does shows
SELECT * FROM pg_largeobject

--# a catalogue in EXISTS
--: does nothing
--: because there are tables in both worlds; a condition would ask about one of them
SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_tables)

--# a catalogue in a CTE
--: does shows
WITH t AS (TABLE pg_tables) SELECT * FROM t

--# a catalogue on the right of a JOIN
--: does shows
SELECT 1 FROM users JOIN pg_class ON true

--# a catalogue with the database's name
--: does shows
SELECT * FROM panel.pg_catalog.pg_class

--# pg_temp
--: does fails
SELECT * FROM pg_temp.x

--# a toast table
--: does nothing
--: because the rows are PostgreSQL's own, the same everywhere
SELECT * FROM pg_toast.pg_toast_1255

--# a CTE that could fall through to the catalogue
--: does nothing
--: because the CTE is in scope here; the name alone is refused
WITH pg_authid AS (SELECT 1) SELECT * FROM pg_authid

--# a CTE of that name out of its scope
--: does shows
SELECT * FROM (WITH pg_shadow AS (SELECT 1) SELECT 1) AS x, pg_shadow

--# TABLE pg_proc
--: does shows
TABLE pg_proc
