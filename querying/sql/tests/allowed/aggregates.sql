--# GROUP BY
SELECT platform, count(*) AS n, sum(duration_min), avg(duration_min), min(event_date), max(event_date) FROM events GROUP BY platform ORDER BY n DESC, platform

--# GROUP BY a position and an output name
SELECT date_trunc('month', event_date) AS month, app, count(DISTINCT user_id) AS reach FROM events GROUP BY 1, app HAVING count(*) > 3 ORDER BY month, app

--# GROUP BY the primary key
SELECT u.user_id, u.name, u.state, count(*) FROM users u JOIN events e ON e.user_id = u.user_id GROUP BY u.user_id ORDER BY u.gender, u.user_id

--# GROUP BY the primary key without a qualifier
SELECT user_id, name, upper(state) FROM users GROUP BY user_id HAVING max(weight) > 20 ORDER BY age_group, user_id

--# GROUP BY a primary key of two columns
SELECT w.user_id, w.month, w.weight, count(e.event_id) FROM weights_monthly w LEFT JOIN events e USING (user_id) GROUP BY w.user_id, w.month ORDER BY 1, 2

--# GROUP BY the primary key and all columns
SELECT c.*, count(e.event_id) FROM categories c LEFT JOIN events e USING (category) GROUP BY c.category ORDER BY 1

--# GROUP BY the primary key by position
SELECT c.category, c.title, count(*) FROM categories c JOIN events e USING (category) GROUP BY 1 ORDER BY 1

--# GROUP BY the primary key and a window
SELECT c.category, rank() OVER (ORDER BY c.title) FROM categories c GROUP BY c.category ORDER BY 1

--# GROUP BY the primary key under a column alias
SELECT c.key, c.title, count(*) FROM categories AS c (key, up) GROUP BY c.key ORDER BY 1

--# GROUP BY the primary key, used in a correlated sub-select
SELECT c.category, (SELECT count(*) FROM events e WHERE e.category = c.category AND c.title IS NOT NULL) FROM categories c GROUP BY c.category ORDER BY 1

--# GROUPING SETS
SELECT app, platform, grouping(app, platform), count(*) FROM events GROUP BY GROUPING SETS ((app), (platform), (app, platform), ()) ORDER BY 3, 1, 2

--# ROLLUP
SELECT category, app, sum(duration_min) FROM events GROUP BY ROLLUP (category, app) ORDER BY 1, 2

--# CUBE and HAVING
SELECT category, platform, count(*) FROM events GROUP BY CUBE (category, platform) HAVING count(*) > 10 ORDER BY 1, 2

--# GROUP BY DISTINCT
SELECT app, platform, count(*) FROM events GROUP BY DISTINCT ROLLUP (app, platform), ROLLUP (app) ORDER BY 1, 2, 3

--# GROUP BY the empty set
SELECT count(*) FROM events GROUP BY ()

--# FILTER
SELECT app, count(*) FILTER (WHERE platform = 'Android') AS android, sum(duration_min) FILTER (WHERE duration_min > 5) FROM events GROUP BY app ORDER BY app

--# percentiles
SELECT platform, percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_min), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY duration_min DESC), mode() WITHIN GROUP (ORDER BY app) FROM events GROUP BY platform ORDER BY 1

--# a hypothetical rank
SELECT rank(5) WITHIN GROUP (ORDER BY duration_min) FROM events

--# statistics
SELECT corr(event_id, duration_min), regr_slope(duration_min, event_id), regr_r2(duration_min, event_id), stddev(duration_min), var_pop(duration_min), covar_samp(duration_min, event_id) FROM events

--# collecting values
SELECT state, array_agg(name ORDER BY user_id DESC), string_agg(DISTINCT gender, ', ' ORDER BY gender), jsonb_agg(user_id ORDER BY user_id), json_object_agg(name, weight ORDER BY name), bool_and("delete"), any_value(state) FROM users GROUP BY state ORDER BY state

--# DISTINCT within aggregates
SELECT count(DISTINCT (user_id, app)), count(DISTINCT app), sum(DISTINCT duration_min) FROM events

--# ratios with NULLIF and casts
SELECT app, round(100.0 * count(*) / NULLIF(sum(count(*)) OVER (), 0), 2) AS share FROM events GROUP BY app ORDER BY share DESC, app

--# width_bucket
SELECT width_bucket(duration_min, 0, 20, 4) AS bucket, count(*), int4range(min(duration_min)::int, max(duration_min)::int, '[]') FROM events GROUP BY 1 ORDER BY 1

--# HAVING without GROUP BY
SELECT sum(duration_min) FROM events HAVING count(*) > 10

--# CASE inside an aggregate
SELECT sum(CASE WHEN gender = 'Male' THEN 1 ELSE 0 END) AS men, avg(CASE gender WHEN 'Male' THEN weight END) FROM users

--# an aggregate over an aggregate
SELECT avg(n) FROM (SELECT user_id, count(*) AS n FROM events GROUP BY user_id) AS per_person

--# arrays of aggregates
SELECT ARRAY(SELECT DISTINCT app FROM events ORDER BY app), (SELECT array_agg(x ORDER BY x) FROM unnest(ARRAY[3, 1, 2]) AS x)

--# range_agg and multiranges
SELECT range_agg(active_during), range_intersect_agg(active_during) FROM users

--# JSON aggregates of SQL
SELECT state, JSON_OBJECTAGG(name: weight RETURNING jsonb), JSON_ARRAYAGG(user_id ORDER BY user_id) FROM users GROUP BY state ORDER BY state
