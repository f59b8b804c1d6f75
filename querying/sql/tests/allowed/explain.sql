--# EXPLAIN
--: unstable
EXPLAIN SELECT * FROM users WHERE user_id = 3

--# EXPLAIN VERBOSE
--: unstable
EXPLAIN VERBOSE SELECT count(*) FROM events

--# EXPLAIN with options
--: unstable
EXPLAIN (FORMAT json, COSTS off, VERBOSE, SUMMARY off) SELECT app, count(*) FROM events GROUP BY app

--# EXPLAIN of a join in YAML
--: unstable
EXPLAIN (format "yaml") SELECT * FROM users JOIN events USING (user_id)

--# EXPLAIN of VALUES
--: unstable
EXPLAIN (costs 0) VALUES (1)
