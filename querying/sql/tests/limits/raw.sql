--# all rows
SELECT * FROM users

--# distinct values
SELECT DISTINCT app FROM events

--# groups without an aggregate
SELECT app FROM events GROUP BY app

--# a window over rows
SELECT name, rank() OVER (ORDER BY weight) FROM users

--# a window aggregate over rows
SELECT name, sum(weight) OVER () FROM users

--# groups of a primary key
SELECT user_id, max(name) FROM users GROUP BY user_id

--# groups of a primary key cast to text
SELECT user_id::text, max(name) FROM users GROUP BY user_id::text

--# groups of a primary key by position
SELECT u.user_id AS id, count(*) FROM users u JOIN events e USING (user_id) GROUP BY 1

--# groups of a column that a join makes equal to a primary key
SELECT e.user_id, count(*) FROM events e JOIN users u ON u.user_id = e.user_id GROUP BY e.user_id

--# groups of a column that a filter makes equal to a primary key
SELECT e.user_id, count(*) FROM events e, users u WHERE u.user_id = e.user_id GROUP BY e.user_id

--# groups of a primary key that USING merged
SELECT user_id, count(*) FROM events JOIN users USING (user_id) GROUP BY user_id

--# a primary key in a CUBE
SELECT event_id, user_id, app, count(*) FROM events GROUP BY CUBE (event_id, user_id, app)

--# a primary key of two columns in GROUPING SETS
SELECT month, user_id, sum(weight) FROM weights_monthly GROUP BY GROUPING SETS ((user_id, month), (month))

--# a primary key through a sub-select under another name
SELECT x.id, count(*) FROM (SELECT user_id AS id FROM users) AS x GROUP BY x.id

--# a primary key through a WITH query and a column alias
WITH x AS (SELECT * FROM users) SELECT key, count(*) FROM x AS y (key) GROUP BY key

--# one raw side of a set operation
SELECT count(*) FROM users UNION ALL SELECT user_id FROM users

--# a sub-select of rows
SELECT * FROM (SELECT name FROM users) AS x

--# a WITH query of rows
WITH x AS (SELECT name FROM users) SELECT * FROM x

--# a recursive WITH query of rows
WITH RECURSIVE r AS (SELECT category, parent FROM categories UNION ALL SELECT c.category, c.parent FROM categories c JOIN r ON c.parent = r.category) SELECT * FROM r

--# groups joined to rows
SELECT s.app FROM (SELECT app, count(*) FROM events GROUP BY app) AS s JOIN events USING (app)

--# an array of rows spread out again
SELECT unnest(array_agg(name)) FROM users

--# an array of rows spread out in FROM
SELECT name FROM (SELECT array_agg(name) AS all_names FROM users) AS s, unnest(s.all_names) AS name

--# a JSON array of rows from a sub-select in FROM
SELECT j.value FROM jsonb_array_elements((SELECT jsonb_agg(name) FROM users)) AS j

--# rows looked up one by one
SELECT (SELECT name FROM users WHERE user_id = g) FROM generate_series(1, 60) AS g

--# a JSON array of rows through JSON_TABLE
SELECT j.n FROM (SELECT jsonb_agg(name) AS v FROM users) s, JSON_TABLE(s.v, '$[*]' COLUMNS (n text PATH '$')) AS j

--# TABLE
TABLE categories

--# a view
SELECT * FROM android_events

--# a primary key in disguise
SELECT user_id + 0, max(name) FROM users GROUP BY user_id + 0

--# a primary key in a longer disguise
SELECT md5('x' || user_id::text), count(*) FROM users GROUP BY 1

--# a primary key with a default
SELECT coalesce(user_id, 0), count(*) FROM users GROUP BY 1

--# an approved set-returning aggregate's rows spread out by JSON
SELECT jsonb_array_elements(jsonb_agg(name)) FROM users

--# the key of a person that the survey design registers
SELECT user_id, count(*) FROM events GROUP BY user_id

--# the same in another table that holds it
SELECT user_id, sum(weight) FROM weights_monthly GROUP BY user_id
