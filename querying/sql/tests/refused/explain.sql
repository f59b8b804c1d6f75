--# EXPLAIN ANALYZE
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN ANALYZE SELECT 1

--# EXPLAIN ANALYSE in the other spelling
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN ANALYSE SELECT 1

--# EXPLAIN ANALYZE VERBOSE
--: does shows
EXPLAIN ANALYZE VERBOSE SELECT * FROM users

--# EXPLAIN with ANALYZE in brackets
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN (ANALYZE) SELECT 1

--# EXPLAIN with ANALYZE true
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN (ANALYZE true) SELECT 1

--# EXPLAIN with ANALYZE 1
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN (ANALYZE 1) SELECT 1

--# EXPLAIN with a quoted analyze
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN ("analyze") SELECT 1

--# EXPLAIN with analyze escaped
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN (U&"\0061nalyze" on) SELECT 1

--# EXPLAIN with ANALYZE off and then on
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN (ANALYZE off, COSTS on, ANALYZE on) SELECT 1

--# EXPLAIN with ANALYZE after allowed options
--: does nothing
--: because it runs what it explains, and SELECT 1 is harmless
EXPLAIN (FORMAT json, COSTS off, VERBOSE, ANALYZE) SELECT 1

--# EXPLAIN with SETTINGS
--: does shows
EXPLAIN (SETTINGS) SELECT 1

--# EXPLAIN with GENERIC_PLAN
--: does nothing
--: because it is of use with parameters only
EXPLAIN (GENERIC_PLAN) SELECT 1

--# EXPLAIN with SERIALIZE
--: does fails
EXPLAIN (SERIALIZE) SELECT 1

--# EXPLAIN with an unknown format
--: does fails
EXPLAIN (FORMAT xlsx) SELECT 1

--# EXPLAIN of a DELETE
--: does nothing
--: because it is planned, not run
EXPLAIN DELETE FROM events

--# EXPLAIN ANALYZE of CREATE TABLE AS
--: does changes
EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1

--# EXPLAIN of CREATE TABLE AS
--: does nothing
--: because it is planned, not run
EXPLAIN CREATE TABLE x AS SELECT 1

--# EXPLAIN of EXECUTE
--: does shows
EXPLAIN EXECUTE p

--# EXPLAIN of DECLARE
--: does nothing
--: because it is planned, not run
EXPLAIN DECLARE c CURSOR FOR SELECT 1

--# EXPLAIN of a write in a CTE
--: does nothing
--: because it is planned, not run
EXPLAIN WITH x AS (DELETE FROM events RETURNING 1) SELECT * FROM x

--# EXPLAIN of SELECT INTO
--: does nothing
--: because it is planned, not run
EXPLAIN SELECT 1 INTO x

--# EXPLAIN of a function that planning would run
--: does shows
EXPLAIN SELECT pg_read_file('/etc/passwd')

--# EXPLAIN ANALYZE of a DELETE
--: does changes
EXPLAIN ANALYZE DELETE FROM events

--# EXPLAIN ANALYZE of a function that waits
--: does waits
EXPLAIN (ANALYZE) SELECT pg_sleep(1)
