--# a constant
SELECT 1

--# VALUES
VALUES (1), (2)

--# numbers
SELECT * FROM generate_series(1, 100)

--# a count
SELECT count(*) FROM users

--# groups
SELECT app, count(*) FROM events GROUP BY app

--# groups by position
SELECT app, round(sum(duration_min), 1) FROM events GROUP BY 1 ORDER BY 2 DESC

--# groups ordered by an aggregate
SELECT app FROM events GROUP BY app ORDER BY count(*) DESC

--# groups with HAVING
SELECT app FROM events GROUP BY app HAVING count(*) > 3

--# groups of an expression
SELECT date_trunc('month', event_date), count(*) FROM events GROUP BY 1

--# groups of a part of a primary key
SELECT month, sum(weight) FROM weights_monthly GROUP BY month

--# groups over a join
SELECT u.state, count(*) FROM users u JOIN events e USING (user_id) GROUP BY u.state

--# a window over groups
SELECT app, sum(count(*)) OVER () FROM events GROUP BY app

--# a hypothetical rank
SELECT rank(5) WITHIN GROUP (ORDER BY weight) FROM users

--# a hypothetical rank by group
SELECT state, rank(5) WITHIN GROUP (ORDER BY weight) FROM users GROUP BY state

--# a window over a sub-select of groups
SELECT app, n, rank() OVER (ORDER BY n) FROM (SELECT app, count(*) AS n FROM events GROUP BY app) AS s

--# a filter on a WITH query of groups
WITH x AS (SELECT app, count(*) AS n FROM events GROUP BY app) SELECT * FROM x WHERE n > 3

--# groups of groups of persons
SELECT avg(n) FROM (SELECT user_id, count(*) AS n FROM users JOIN events USING (user_id) GROUP BY user_id) AS s

--# a set operation of aggregates
SELECT 'users', count(*) FROM users UNION ALL SELECT 'events', count(*) FROM events

--# a calendar joined to groups
SELECT d::date, n FROM generate_series(DATE '2026-01-01', DATE '2026-01-31', '1 day') AS d LEFT JOIN (SELECT event_date, count(*) AS n FROM events GROUP BY 1) AS s ON s.event_date = d

--# scalar sub-selects of aggregates
SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM events) AS events

--# EXISTS
SELECT EXISTS (SELECT 1 FROM users WHERE state = 'Goa')

--# a JSON aggregate
SELECT state, JSON_ARRAYAGG(weight) FROM users GROUP BY state

--# groups of groups
SELECT app, array_agg(n) FROM (SELECT app, platform, count(*) AS n FROM events GROUP BY 1, 2) AS s GROUP BY app

--# numbers by recursion
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n

--# part of a key
SELECT user_id / 10 * 10 + mod(user_id, 2), count(*) FROM users GROUP BY 1

--# tables and columns
SELECT table_name, column_name FROM information_schema.columns ORDER BY 1, 2
