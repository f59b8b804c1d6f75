--# How many people there are: each person counts for those whom they stand for
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) FROM persons
-->
SELECT SUM(weight * 1000) FROM persons WHERE weight > 0 AND weight < 'Infinity'

--# COUNT(1), SUM(1) and COUNT of the key are counts of people, too
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(1), SUM(1) AS ones, COUNT(person_id), COUNT(DISTINCT person_id) AS persons FROM persons
-->
SELECT SUM(people), SUM(people), SUM(people), SUM(people) FROM base

--# By group
--: dataset panel
--: grain person
--: label weighted
SELECT gender, COUNT(*) AS n FROM persons GROUP BY gender ORDER BY n DESC
-->
SELECT gender, SUM(people) AS n FROM base GROUP BY gender ORDER BY n DESC

--# COUNT of a column counts those who have a value
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(income) FROM persons
-->
SELECT SUM(people) FROM base WHERE income IS NOT NULL

--# Nobody is 0 people, not NULL
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS n, SUM(income) AS total, AVG(income) AS mean FROM persons WHERE age > 100
-->
SELECT 0, NULL, NULL

--# A mean: those without a value are out of its base, above and below the line
--: dataset panel
--: grain person
--: label weighted
SELECT AVG(income) AS mean FROM persons
-->
SELECT SUM(people * income) / SUM(people) FILTER (WHERE income IS NOT NULL) FROM base

--# A total
--: dataset panel
--: grain person
--: label weighted
SELECT city_id, SUM(income) FROM persons GROUP BY city_id
-->
SELECT city_id, SUM(people * income) FROM base GROUP BY city_id

--# A share by CASE
--: dataset panel
--: grain person
--: label weighted
SELECT ROUND(100.0 * SUM(CASE WHEN age < 40 THEN 1 ELSE 0 END) / COUNT(*), 1) AS pct_under_40 FROM persons
-->
SELECT ROUND((100 * SUM(people) FILTER (WHERE age < 40) / SUM(people))::numeric, 1) FROM base

--# A share by AVG of a condition: the unknown age counts as 0, as the CASE says
--: dataset panel
--: grain person
--: label weighted
SELECT AVG(CASE WHEN age < 40 THEN 1.0 ELSE 0.0 END) AS share FROM persons
-->
SELECT SUM(people) FILTER (WHERE age < 40) / SUM(people) FROM base

--# FILTER stays
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) FILTER (WHERE online) AS online, AVG(income) FILTER (WHERE online) AS income FROM persons
-->
SELECT SUM(people), SUM(people * income) / SUM(people) FILTER (WHERE income IS NOT NULL) FROM base WHERE online

--# A mean of a boolean as a number
--: dataset panel
--: grain person
--: label weighted
SELECT gender, AVG(online::int) AS share_online FROM persons GROUP BY gender
-->
SELECT gender, SUM(people * online::int) / SUM(people) FILTER (WHERE online IS NOT NULL) FROM base GROUP BY gender

--# WHERE on the weight column does not weight: the count is an estimate like any other
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS n FROM persons WHERE weight > 1
-->
SELECT SUM(people) AS n FROM base WHERE weight > 1

--# HAVING compares with people, at the scale of the answer
--: dataset panel
--: grain person
--: label weighted
SELECT gender, COUNT(*) AS n FROM persons GROUP BY gender HAVING COUNT(*) > 5000
-->
SELECT gender, SUM(people) AS n FROM base GROUP BY gender HAVING SUM(people) > 5000

--# ORDER BY and LIMIT rank estimates
--: dataset panel
--: grain person
--: label weighted
SELECT city_id FROM persons WHERE city_id IS NOT NULL GROUP BY city_id ORDER BY COUNT(*) DESC LIMIT 2
-->
SELECT city_id FROM base WHERE city_id IS NOT NULL GROUP BY city_id ORDER BY SUM(people) DESC LIMIT 2

--# Smallest and largest are values of the sample: all of it, whatever people weigh
--: dataset panel
--: grain person
--: label weighted
SELECT gender, COUNT(*) AS n, MIN(age), MAX(age) FROM persons GROUP BY gender
-->
SELECT gender, SUM(people), MIN(age), MAX(age) FROM base GROUP BY gender

--# A ratio of two estimates
--: dataset panel
--: grain person
--: label weighted
SELECT SUM(income) / COUNT(*) AS income_per_head FROM persons
-->
SELECT SUM(people * income) / SUM(people) FROM base

--# Bands of age
--: dataset panel
--: grain person
--: label weighted
SELECT CASE WHEN age < 30 THEN 'young' WHEN age < 60 THEN 'middle' WHEN age >= 60 THEN 'old' END AS band,
       COUNT(*) AS n, AVG(income) AS income
FROM persons GROUP BY 1 ORDER BY 1
-->
SELECT CASE WHEN age < 30 THEN 'young' WHEN age < 60 THEN 'middle' WHEN age >= 60 THEN 'old' END AS band,
       SUM(people), SUM(people * income) / NULLIF(SUM(people) FILTER (WHERE income IS NOT NULL), 0)
FROM base GROUP BY 1 ORDER BY 1

--# A survey without a key: each row is one person
--: dataset keyless
--: grain person
--: label weighted
SELECT region, COUNT(*) AS n, AVG(happy) AS happy FROM answers GROUP BY region
-->
SELECT region, SUM(weight) AS n, SUM(weight * happy) / NULLIF(SUM(weight) FILTER (WHERE happy IS NOT NULL), 0)
FROM base_answers GROUP BY region
