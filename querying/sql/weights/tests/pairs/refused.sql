--# NTILE cuts the sample into equal parts, not the population
--: dataset panel
--: refused NTILE cuts the sample
SELECT person_id, NTILE(4) OVER (ORDER BY income) AS quarter FROM persons

--# NTILE below an aggregate
--: dataset panel
--: refused NTILE cuts the sample
SELECT quarter, AVG(income) FROM (SELECT income, NTILE(4) OVER (ORDER BY income) AS quarter FROM persons) AS t
GROUP BY quarter

--# PERCENT_RANK of a person is that in the sample
--: dataset panel
--: refused PERCENT_RANK cuts the sample
SELECT person_id, PERCENT_RANK() OVER (ORDER BY age) FROM persons

--# LIMIT below an aggregate
--: dataset panel
--: refused LIMIT or OFFSET cuts the sample
SELECT AVG(income) FROM (SELECT income FROM persons ORDER BY age LIMIT 5) AS oldest

--# The top of a list of people, then counted
--: dataset panel
--: refused LIMIT or OFFSET cuts the sample
WITH top AS (SELECT person_id, SUM(minutes) AS m FROM events GROUP BY person_id ORDER BY m DESC LIMIT 3)
SELECT AVG(p.age) FROM persons p JOIN top USING (person_id)

--# The same top by IN
--: dataset panel
--: refused LIMIT or OFFSET cuts the sample
SELECT COUNT(*) FROM persons WHERE person_id IN (
    SELECT person_id FROM events GROUP BY person_id ORDER BY SUM(minutes) DESC NULLS LAST LIMIT 3)

--# A rank of people, then counted
--: dataset panel
--: refused numbered by their place in the sample
SELECT AVG(age) FROM (SELECT age, RANK() OVER (ORDER BY income DESC) AS place FROM persons) AS t WHERE place <= 3

--# Pairs of events of one person
--: dataset panel
--: refused a pair of rows
SELECT COUNT(*) FROM events a JOIN events b ON a.person_id = b.person_id AND a.app = 'Tube' AND b.app = 'Flix'

--# Pairs of people of one city
--: dataset panel
--: refused a pair of rows
SELECT AVG(a.age - b.age) FROM persons a JOIN persons b ON a.city_id = b.city_id AND a.person_id < b.person_id

--# Every person beside every event
--: dataset panel
--: refused a pair of rows
SELECT COUNT(*) FROM persons CROSS JOIN events

--# SUM(DISTINCT) leaves out people who have the same
--: dataset panel
--: refused SUM(DISTINCT ...) would leave out people
SELECT SUM(DISTINCT income) FROM persons

--# AVG(DISTINCT)
--: dataset panel
--: refused AVG(DISTINCT ...) would leave out people
SELECT AVG(DISTINCT age) FROM persons

--# The mean of distinct values
--: dataset panel
--: refused distinct values treats each value alike
SELECT AVG(age) FROM (SELECT DISTINCT age FROM persons) AS ages

--# TABLESAMPLE
--: dataset panel
--: refused TABLESAMPLE takes a part of the sample
SELECT COUNT(*) FROM persons TABLESAMPLE SYSTEM (50)

--# Rows by LATERAL: which of a person's rows are they?
--: dataset panel
--: refused LATERAL sub-select over units is not modelled
SELECT AVG(t.minutes) FROM persons p
CROSS JOIN LATERAL (SELECT minutes FROM events e WHERE e.person_id = p.person_id) AS t

--# Recursion over units
--: dataset panel
--: refused a recursive WITH query over units is not modelled
WITH RECURSIVE t AS (
    SELECT person_id, 1 AS n FROM persons UNION ALL SELECT t.person_id, n + 1 FROM t JOIN persons USING (person_id) WHERE n < 3)
SELECT COUNT(*) FROM t

--# DISTINCT ON something else than the person
--: dataset panel
--: refused DISTINCT ON keeps some rows of the sample
SELECT AVG(income) FROM (SELECT DISTINCT ON (city_id) city_id, income FROM persons ORDER BY city_id, age) AS t

--# People repeated by a table without a key have no key to be counted once by
--: dataset keyless
--: refused no key by which each could be counted once
SELECT COUNT(*) FROM answers JOIN (VALUES ('North', 1), ('North', 2)) AS v (region, x) USING (region)

--# A rank within the sample as an aggregate
--: dataset panel
--: refused compares with rows of the sample
SELECT rank(40) WITHIN GROUP (ORDER BY age) FROM persons

--# A standard deviation in a window
--: dataset panel
--: refused OVER (...) of rows cannot be weighted
SELECT person_id, STDDEV(income) OVER (PARTITION BY gender) FROM persons

--# A window that counts rows of the sample
--: dataset panel
--: refused a window frame that counts rows of the sample
SELECT event_id, AVG(minutes) OVER (ORDER BY day, event_id ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) FROM events

--# People and their events in one set operation
--: dataset panel
--: refused a set operation of rows of different kinds is not modelled
SELECT COUNT(*) FROM (SELECT city FROM cities UNION ALL SELECT app FROM events) AS t

--# Grouping sets over the key
--: dataset panel
--: refused grouping sets over the key mix persons with groups of them
SELECT person_id, SUM(minutes) FROM events GROUP BY ROLLUP (person_id)
