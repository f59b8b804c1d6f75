--# an INSERT
--: does fails
INSERT INTO users (user_id) VALUES (1)

--# an INSERT of a SELECT
--: does fails
INSERT INTO events SELECT * FROM events

--# an UPDATE
--: does changes
UPDATE users SET name = 'x'

--# a DELETE
--: does changes
DELETE FROM events

--# a DELETE after a comment
--: does changes
/* only counting */ DELETE FROM events -- honest

--# a MERGE
--: does fails
MERGE INTO users USING events ON true WHEN MATCHED THEN DELETE

--# TRUNCATE
--: does changes
TRUNCATE events

--# DROP TABLE
--: does fails
DROP TABLE users

--# CREATE TABLE
--: does changes
CREATE TABLE x (a int)

--# CREATE TEMP TABLE
--: does changes
CREATE TEMP TABLE x AS SELECT * FROM users

--# CREATE TABLE AS
--: does changes
CREATE TABLE x AS SELECT 1

--# CREATE VIEW
--: does changes
CREATE VIEW v AS SELECT 1

--# CREATE MATERIALIZED VIEW
--: does changes
CREATE MATERIALIZED VIEW v AS SELECT 1

--# REFRESH MATERIALIZED VIEW
--: does fails
REFRESH MATERIALIZED VIEW v

--# CREATE FUNCTION
--: does changes
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'

--# CREATE EXTENSION
--: does changes
CREATE EXTENSION dblink

--# CREATE ROLE
--: does changes
CREATE ROLE eve SUPERUSER LOGIN

--# CREATE DATABASE
--: does changes
CREATE DATABASE x

--# ALTER TABLE
--: does changes
ALTER TABLE users ADD COLUMN x int

--# ALTER ROLE
--: does changes
ALTER ROLE postgres PASSWORD 'x'

--# ALTER SYSTEM
--: does changes
ALTER SYSTEM SET log_statement = 'none'

--# GRANT
--: does changes
GRANT ALL ON users TO PUBLIC

--# REVOKE
--: does changes
REVOKE ALL ON users FROM PUBLIC

--# COPY to a file
--: does changes
COPY users TO '/tmp/users.csv'

--# COPY from a program
--: does shows
COPY users FROM PROGRAM 'id'

--# COPY of a query to the client
--: does shows
COPY (SELECT * FROM users) TO STDOUT

--# SET
--: does changes
SET statement_timeout = 0

--# SET LOCAL
--: does changes
SET LOCAL search_path = public

--# SET ROLE
--: does changes
SET ROLE postgres

--# SET SESSION AUTHORIZATION
--: does changes
SET SESSION AUTHORIZATION postgres

--# SET TRANSACTION READ WRITE
--: does changes
SET TRANSACTION READ WRITE

--# RESET ALL
--: does changes
RESET ALL

--# SHOW
--: does shows
SHOW data_directory

--# SHOW ALL
--: does shows
SHOW ALL

--# BEGIN
--: does changes
BEGIN

--# COMMIT
--: does changes
COMMIT

--# ROLLBACK
--: does changes
ROLLBACK

--# SAVEPOINT
--: does nothing
--: because it ends with its transaction
SAVEPOINT x

--# PREPARE TRANSACTION
--: does changes
PREPARE TRANSACTION 'x'

--# PREPARE
--: does changes
PREPARE p AS SELECT 1

--# EXECUTE
--: does shows
EXECUTE p

--# DEALLOCATE
--: does changes
DEALLOCATE ALL

--# CALL
--: does changes
CALL tidy()

--# DO
--: does nothing
--: because this block computes; any block would run
DO $$ BEGIN PERFORM 1; END $$

--# DECLARE a cursor
--: does changes
DECLARE c CURSOR FOR SELECT * FROM users

--# FETCH from a cursor
--: does shows
FETCH ALL FROM c

--# CLOSE a cursor
--: does changes
CLOSE ALL

--# LISTEN
--: does changes
LISTEN channel

--# NOTIFY
--: does changes
NOTIFY channel, 'x'

--# UNLISTEN
--: does changes
UNLISTEN *

--# LOCK TABLE
--: does changes
LOCK TABLE users IN ACCESS EXCLUSIVE MODE

--# VACUUM
--: does changes
VACUUM users

--# ANALYZE
--: does changes
ANALYZE users

--# REINDEX
--: does changes
REINDEX TABLE users

--# CLUSTER
--: does fails
CLUSTER users

--# CHECKPOINT
--: does nothing
--: because it costs the server time and disk, which is not measured
CHECKPOINT

--# DISCARD ALL
--: does changes
DISCARD ALL

--# LOAD
--: does changes
LOAD 'auto_explain'

--# COMMENT ON
--: does changes
COMMENT ON TABLE users IS 'x'

--# SECURITY LABEL
--: does fails
SECURITY LABEL ON TABLE users IS 'x'

--# IMPORT FOREIGN SCHEMA
--: does fails
IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public

--# two statements
--: does nothing
--: because both are harmless; the next one need not be
SELECT 1; SELECT 2

--# a COMMIT and a DELETE behind a SELECT
--: does changes
SELECT 1; COMMIT; DELETE FROM events

--# a second statement behind a comment
--: does fails
SELECT 1 /* ; */ ; -- more
DROP TABLE users

--# an INSERT that fits
--: does changes
INSERT INTO categories VALUES ('x')

--# a MERGE that deletes each row once
--: does changes
MERGE INTO categories USING (VALUES ('Music')) AS v (name) ON category = v.name WHEN MATCHED THEN DELETE

--# DROP TABLE of one that nothing depends on
--: does changes
DROP TABLE archive.stores

--# a DROP behind a SELECT
--: does changes
SELECT 1; DROP TABLE archive.stores

--# DO with a DELETE inside
--: does changes
DO $$ BEGIN DELETE FROM events; END $$
