--# The query weights by itself: left as it is, not scaled
--: dataset panel
--: grain person
--: label by_query
SELECT SUM(weight) AS n, SUM(weight * income) / SUM(weight) AS income FROM persons WHERE weight > 0 AND weight < 3

--# A weighted sum over events, weighted by the query
--: dataset panel
--: grain event
--: label by_query
SELECT e.app, SUM(p.weight * e.minutes) AS minutes
FROM events e JOIN persons p USING (person_id) WHERE p.weight < 3 GROUP BY e.app

--# By way of a CTE
--: dataset panel
--: grain person
--: label by_query
WITH w AS (SELECT gender, COALESCE(weight, 0) AS w FROM persons WHERE weight < 3)
SELECT gender, SUM(w) AS n FROM w GROUP BY gender

--# The weights of the sample themselves
--: dataset panel
--: grain person
--: label by_query
SELECT AVG(weight) AS mean, MAX(weight) AS largest FROM persons WHERE weight < 3

--# How many weights there are is a question about the sample
--: dataset panel
--: grain person
--: label sample
SELECT COUNT(weight) AS weighted FROM persons

--# The largest weight is one of the sample
--: dataset panel
--: grain person
--: label sample
SELECT MIN(weight), MAX(weight) FROM persons WHERE weight < 3

--# The weight in a condition only is no weighting
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) FILTER (WHERE weight > 1) AS n, SUM(CASE WHEN weight > 1 THEN income END) AS income FROM persons
-->
SELECT SUM(people), SUM(people * income) FROM base WHERE weight > 1

--# Grouped by the weight
--: dataset panel
--: grain person
--: label weighted
SELECT weight > 1 AS heavy, COUNT(*) AS n FROM persons GROUP BY 1
-->
SELECT weight > 1, SUM(people) FROM base GROUP BY 1

--# One aggregate weighted by the query, one not
--: dataset panel
--: refused Some aggregates use the weight column and others do not
SELECT SUM(weight) AS people, COUNT(*) AS sample FROM persons

--# Mixed over two statements
--: dataset panel
--: refused Some aggregates use the weight column and others do not
WITH total AS (SELECT SUM(weight) AS n FROM persons)
SELECT gender, COUNT(*) / (SELECT n FROM total) AS share FROM persons GROUP BY gender
