--# pg_class
SELECT * FROM pg_class

--# pg_catalog.pg_class
SELECT relname FROM pg_catalog.pg_class

--# passwords
SELECT rolname, rolpassword FROM pg_authid

--# pg_shadow
SELECT * FROM pg_shadow

--# pg_user in upper case
SELECT * FROM PG_USER

--# quoted pg_roles
SELECT * FROM "pg_roles"

--# pg_settings in a sub-select
SELECT (SELECT setting FROM pg_settings WHERE name = 'hba_file')

--# other sessions
SELECT query FROM pg_stat_activity

--# statistics with values of columns
SELECT most_common_vals FROM pg_stats

--# pg_statistic
SELECT * FROM pg_catalog.pg_statistic

--# large objects
SELECT * FROM pg_largeobject

--# information_schema.tables
SELECT table_name FROM information_schema.tables

--# information_schema.columns quoted
SELECT * FROM "information_schema"."columns"

--# a catalogue in EXISTS
SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_tables)

--# a catalogue in a CTE
WITH t AS (TABLE pg_tables) SELECT * FROM t

--# a catalogue on the right of a JOIN
SELECT 1 FROM users JOIN pg_class ON true

--# a catalogue with the database's name
SELECT * FROM panel.pg_catalog.pg_class

--# pg_temp
SELECT * FROM pg_temp.x

--# a toast table
SELECT * FROM pg_toast.pg_toast_1255

--# a CTE that could fall through to the catalogue
WITH pg_authid AS (SELECT 1) SELECT * FROM pg_authid

--# a CTE of that name out of its scope
SELECT * FROM (WITH pg_shadow AS (SELECT 1) SELECT 1) AS x, pg_shadow

--# TABLE pg_proc
TABLE pg_proc
