--# an inner join
SELECT u.name, e.app FROM users u JOIN events e ON e.user_id = u.user_id ORDER BY e.event_id

--# USING
SELECT user_id, name, app FROM users JOIN events USING (user_id) ORDER BY event_id

--# USING with an alias
SELECT k.user_id, count(*) FROM users JOIN events USING (user_id) AS k GROUP BY k.user_id ORDER BY 1

--# NATURAL JOIN
SELECT category, title, count(*) FROM events NATURAL JOIN categories GROUP BY category, title ORDER BY 1

--# all columns of a USING join
SELECT * FROM events JOIN categories USING (category) ORDER BY event_id

--# LEFT JOIN with a condition on the right
SELECT u.user_id, count(e.event_id) AS n FROM users u LEFT JOIN events e ON e.user_id = u.user_id AND e.app = 'Spotify' GROUP BY u.user_id ORDER BY 1

--# FULL JOIN
SELECT c.category, e.category AS seen FROM categories c FULL JOIN (SELECT DISTINCT category FROM events) e USING (category) ORDER BY 1

--# CROSS JOIN
SELECT c.category, p.platform FROM categories c CROSS JOIN (VALUES ('Android'), ('iOS')) AS p (platform) ORDER BY 1, 2

--# commas
SELECT count(*) FROM users u, events e WHERE u.user_id = e.user_id

--# a self-join
SELECT a.category, b.title AS parent FROM categories a LEFT JOIN categories b ON a.parent = b.category ORDER BY 1

--# a join in brackets with an alias
SELECT j.name, j.app FROM (users u JOIN events e ON u.user_id = e.user_id) AS j ORDER BY j.event_id

--# joins of joins
SELECT c.title, u.state, sum(e.duration_min) FROM events e JOIN (users u JOIN weights_monthly w USING (user_id)) ON e.user_id = u.user_id LEFT JOIN categories c ON c.category = e.category WHERE w.month = '2026-01-01' GROUP BY 1, 2 ORDER BY 1, 2

--# tables of two schemas
SELECT c.title, o.title AS old_title FROM categories c JOIN archive.categories_old o USING (category)

--# LATERAL sub-select
SELECT u.user_id, latest.app FROM users u CROSS JOIN LATERAL (SELECT e.app FROM events e WHERE e.user_id = u.user_id ORDER BY e.event_id DESC LIMIT 1) AS latest ORDER BY 1

--# LATERAL with all columns of the outer table
SELECT x.category FROM categories c, LATERAL (SELECT c.*) AS x ORDER BY 1

--# LEFT JOIN LATERAL
SELECT u.user_id, s.n FROM users u LEFT JOIN LATERAL (SELECT count(*) AS n FROM events WHERE events.user_id = u.user_id) s ON true ORDER BY 1

--# a correlated EXISTS
SELECT count(*) FROM users u WHERE EXISTS (SELECT FROM events e WHERE e.user_id = u.user_id AND e.platform = 'iOS')

--# NOT IN
SELECT category FROM categories WHERE category NOT IN (SELECT category FROM events) ORDER BY 1

--# a row compared with a sub-select
SELECT event_id FROM events WHERE (app, platform) IN (SELECT 'YouTube', 'Android') ORDER BY 1

--# ANY and ALL
SELECT user_id FROM users WHERE weight >= ALL (SELECT weight FROM users) AND state = ANY (ARRAY['Kerala', 'Delhi']) ORDER BY 1

--# a scalar sub-select
SELECT name, weight - (SELECT avg(weight) FROM users) AS above FROM users ORDER BY user_id

--# the same alias inside and outside
SELECT x.name FROM users x WHERE x.user_id IN (SELECT x.user_id FROM events x WHERE x.app = 'Spotify') ORDER BY 1

--# sub-selects without an alias
SELECT category FROM (SELECT category FROM categories) ORDER BY 1

--# TABLESAMPLE
SELECT count(*) FROM users TABLESAMPLE BERNOULLI (100)

--# TABLESAMPLE with an alias and REPEATABLE
SELECT u.user_id FROM users AS u TABLESAMPLE system (100) REPEATABLE (7) ORDER BY 1

--# a semi-colon and unicode in a join's condition
SELECT count(*) FROM users JOIN events ON events.user_id = users.user_id AND app <> 'naïve; ünïcode'
