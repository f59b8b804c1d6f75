--# a DELETE in a CTE
--: does changes
WITH gone AS (DELETE FROM events RETURNING *) SELECT count(*) FROM gone

--# an UPDATE in a CTE that nobody reads
--: does changes
WITH changed AS (UPDATE users SET name = 'x' RETURNING 1) SELECT 1

--# an INSERT in a CTE
--: does changes
WITH new AS (INSERT INTO categories VALUES ('x') RETURNING *) SELECT * FROM new

--# a MERGE in a CTE
--: does fails
WITH m AS (MERGE INTO users u USING events e ON u.user_id = e.user_id WHEN MATCHED THEN DELETE RETURNING 1) SELECT * FROM m

--# a DELETE in a CTE of a sub-select
--: does fails
SELECT * FROM (WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone) AS x

--# a DELETE in a CTE of one side of a UNION
--: does fails
SELECT 1 UNION ALL (WITH gone AS (DELETE FROM events RETURNING 1) SELECT * FROM gone)

--# a DELETE in a CTE within a CTE
--: does fails
WITH a AS (WITH b AS (DELETE FROM events RETURNING 1) SELECT * FROM b) SELECT * FROM a

--# a WITH before a DELETE
--: does changes
WITH a AS (SELECT 1) DELETE FROM events

--# a WITH before an INSERT
--: does fails
WITH a AS (SELECT 1 AS user_id) INSERT INTO users (user_id) SELECT user_id FROM a

--# SELECT INTO
--: does changes
SELECT * INTO copied FROM users

--# SELECT INTO TEMP
--: does changes
SELECT name INTO TEMP copied FROM users

--# SELECT INTO in a UNION
--: does changes
SELECT 1 AS a INTO copied UNION SELECT 2

--# SELECT FOR UPDATE
--: does changes
SELECT * FROM users FOR UPDATE

--# SELECT FOR SHARE OF a table
--: does changes
SELECT * FROM users u FOR SHARE OF u SKIP LOCKED

--# SELECT FOR NO KEY UPDATE NOWAIT in a sub-select
--: does changes
SELECT * FROM (SELECT * FROM users FOR NO KEY UPDATE NOWAIT) AS x

--# FOR KEY SHARE in a CTE
--: does changes
WITH x AS (SELECT * FROM users FOR KEY SHARE) SELECT * FROM x

--# FOR UPDATE in EXISTS
--: does changes
SELECT 1 WHERE EXISTS (SELECT 1 FROM users FOR UPDATE)

--# a parameter
--: does fails
SELECT * FROM users WHERE user_id = $1

--# a parameter in LIMIT
--: does fails
SELECT * FROM users LIMIT $1

--# DEFAULT among VALUES
--: does fails
VALUES (DEFAULT)

--# a MERGE in a CTE that deletes each row once
--: does changes
WITH m AS (MERGE INTO categories USING (VALUES ('Music')) AS v (name) ON category = v.name WHEN MATCHED THEN DELETE RETURNING 1)
SELECT * FROM m
