--# ranks
SELECT app, n, rank() OVER (ORDER BY n DESC), dense_rank() OVER w, row_number() OVER w, ntile(2) OVER w, percent_rank() OVER w, cume_dist() OVER w FROM (SELECT app, count(*) AS n FROM events GROUP BY app) t WINDOW w AS (ORDER BY n DESC, app) ORDER BY app

--# frames
SELECT event_id, sum(duration_min) OVER (PARTITION BY user_id ORDER BY event_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), avg(duration_min) OVER (ORDER BY event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW), count(*) OVER (ORDER BY event_date RANGE BETWEEN '6 days' PRECEDING AND CURRENT ROW), max(app) OVER (ORDER BY event_date GROUPS 1 PRECEDING) FROM events ORDER BY event_id

--# lag, lead and first_value
SELECT event_id, lag(duration_min) OVER w, lead(app, 2, 'none') OVER w, first_value(app) OVER w, last_value(app) OVER w, nth_value(app, 2) OVER w FROM events WINDOW w AS (PARTITION BY user_id ORDER BY event_id) ORDER BY event_id

--# a window over an aggregate
SELECT state, sum(weight) AS w, sum(sum(weight)) OVER () AS total, sum(weight) / sum(sum(weight)) OVER () AS share FROM users GROUP BY state ORDER BY state

--# a window with FILTER
SELECT event_id, count(*) FILTER (WHERE platform = 'iOS') OVER (ORDER BY event_id) FROM events ORDER BY event_id

--# a window based on another
SELECT event_id, sum(duration_min) OVER (w ORDER BY event_id) FROM events WINDOW w AS (PARTITION BY app) ORDER BY event_id

--# the top of each group
SELECT app, user_id, minutes FROM (SELECT app, user_id, sum(duration_min) AS minutes, row_number() OVER (PARTITION BY app ORDER BY sum(duration_min) DESC NULLS LAST, user_id) AS place FROM events GROUP BY app, user_id) t WHERE place <= 2 ORDER BY app, place

--# WITH
WITH heavy AS (SELECT user_id, sum(duration_min) AS minutes FROM events GROUP BY user_id HAVING sum(duration_min) > 50) SELECT u.state, count(*), avg(heavy.minutes) FROM heavy JOIN users u USING (user_id) GROUP BY u.state ORDER BY u.state

--# a CTE that has the name of its table
WITH events AS (SELECT * FROM events WHERE platform = 'Android') SELECT app, count(*) FROM events GROUP BY app ORDER BY app

--# a CTE that shadows another table
WITH users AS (SELECT 1 AS user_id, 'made up' AS name) SELECT users.name FROM users

--# a CTE and the table that it shadows
WITH categories AS (SELECT 'mine' AS category) SELECT a.category AS mine, b.category FROM categories a, public.categories b ORDER BY 2

--# CTEs that build on each other
WITH a AS (SELECT user_id, app FROM events), b AS (SELECT app, count(DISTINCT user_id) AS reach FROM a GROUP BY app), c AS (SELECT max(reach) AS best FROM b) SELECT b.app, b.reach::numeric / c.best FROM b, c ORDER BY b.app

--# CTEs with column names and MATERIALIZED
WITH x (place, people) AS MATERIALIZED (SELECT state, count(*) FROM users GROUP BY state), y AS NOT MATERIALIZED (SELECT * FROM x) SELECT y.place, y.people FROM y ORDER BY 1

--# a CTE within a sub-select
SELECT t.n FROM (WITH x AS (SELECT count(*) AS n FROM users) SELECT n FROM x) AS t

--# a CTE within a CTE that hides the outer one
WITH x AS (SELECT 'outer' AS v), y AS (WITH x AS (SELECT 'inner' AS v) SELECT v FROM x) SELECT x.v, y.v FROM x, y

--# a recursive CTE
WITH RECURSIVE tree AS (SELECT category, parent, 1 AS depth FROM categories WHERE parent IS NULL UNION ALL SELECT c.category, c.parent, tree.depth + 1 FROM categories c JOIN tree ON c.parent = tree.category) SELECT category, depth FROM tree ORDER BY depth, category

--# numbers by recursion
WITH RECURSIVE n (i) AS (VALUES (1) UNION SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n

--# SEARCH and CYCLE
WITH RECURSIVE tree AS (SELECT category, parent FROM categories WHERE parent IS NULL UNION ALL SELECT c.category, c.parent FROM categories c JOIN tree ON c.parent = tree.category) SEARCH DEPTH FIRST BY category SET place CYCLE category SET looped USING path SELECT category, tree.looped FROM tree ORDER BY tree.place

--# a CTE in a set operation
WITH x AS (SELECT app FROM events WHERE platform = 'iOS') SELECT app FROM x UNION SELECT category FROM categories ORDER BY 1

--# UNION ALL, INTERSECT and EXCEPT
(SELECT user_id FROM users EXCEPT SELECT user_id FROM events WHERE app = 'Spotify') INTERSECT ALL SELECT user_id FROM weights_monthly ORDER BY user_id

--# UNION of aggregates
SELECT 'users' AS what, count(*) FROM users UNION ALL SELECT 'events', count(*) FROM events ORDER BY what

--# set operations in brackets with a LIMIT
(SELECT app FROM events ORDER BY event_id LIMIT 2) UNION ALL (SELECT title FROM categories ORDER BY 1 LIMIT 1) ORDER BY 1

--# retention by cohort
WITH first AS (SELECT user_id, date_trunc('month', min(event_date)) AS cohort FROM events GROUP BY user_id) SELECT f.cohort, date_trunc('month', e.event_date) AS month, count(DISTINCT e.user_id) FROM first f JOIN events e USING (user_id) GROUP BY 1, 2 ORDER BY 1, 2

--# gaps and islands
SELECT user_id, count(*) FROM (SELECT user_id, event_date - (row_number() OVER (PARTITION BY user_id ORDER BY event_date))::int AS island FROM events) t GROUP BY user_id, island ORDER BY 1, 2
