--# A median: the smallest value at which half of the people are reached
--: dataset panel
--: grain person
--: label weighted
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY income) AS median FROM persons
-->
SELECT MIN(income) FROM (
    SELECT income, SUM(people) OVER (ORDER BY income) AS up_to, SUM(people) OVER () AS total
    FROM base WHERE income IS NOT NULL) AS t
WHERE up_to >= 0.5 * total

--# Quartiles by group
--: dataset panel
--: grain person
--: label weighted
SELECT gender, percentile_disc(0.25) WITHIN GROUP (ORDER BY age) AS q1,
       percentile_disc(0.75) WITHIN GROUP (ORDER BY age) AS q3
FROM persons GROUP BY gender
-->
SELECT gender, MIN(age) FILTER (WHERE up_to >= 0.25 * total), MIN(age) FILTER (WHERE up_to >= 0.75 * total)
FROM (SELECT gender, age, SUM(people) OVER (PARTITION BY gender ORDER BY age) AS up_to,
             SUM(people) OVER (PARTITION BY gender) AS total FROM base WHERE age IS NOT NULL) AS t
GROUP BY gender

--# Several quantiles in an array
--: dataset panel
--: grain event
--: label weighted
SELECT percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY minutes) AS spread FROM events
-->
SELECT ARRAY[MIN(minutes) FILTER (WHERE up_to >= 0.1 * total), MIN(minutes) FILTER (WHERE up_to >= 0.9 * total)]
FROM (SELECT minutes, SUM(people) OVER (ORDER BY minutes) AS up_to, SUM(people) OVER () AS total
      FROM events JOIN base USING (person_id) WHERE minutes IS NOT NULL) AS t

--# The median age of users takes each person once
--: dataset panel
--: grain event
--: label weighted
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY p.age) AS age FROM events e JOIN persons p USING (person_id)
-->
SELECT MIN(age) FROM (
    SELECT age, SUM(people) OVER (ORDER BY age) AS up_to, SUM(people) OVER () AS total
    FROM base WHERE age IS NOT NULL AND person_id IN (SELECT person_id FROM events)) AS t
WHERE up_to >= 0.5 * total

--# The most common value is the one of the most people
--: dataset panel
--: grain person
--: label weighted
SELECT gender, mode() WITHIN GROUP (ORDER BY city_id) AS city FROM persons GROUP BY gender
-->
SELECT DISTINCT ON (gender) gender, city_id
FROM (SELECT gender, city_id, SUM(people) AS n FROM base WHERE city_id IS NOT NULL GROUP BY 1, 2) AS t
ORDER BY gender, n DESC, city_id

--# Variance: as R's svyvar, with n / (n - 1) of the people of the sample
--: dataset panel
--: grain person
--: label weighted
SELECT VARIANCE(income) AS variance, STDDEV(income) AS deviation FROM persons
-->
WITH t AS (SELECT people, income, SUM(people * income) OVER () / SUM(people) OVER () AS mean
           FROM base WHERE income IS NOT NULL)
SELECT SUM(people * (income - mean) ^ 2) / SUM(people) * COUNT(*) / (COUNT(*) - 1),
       sqrt(SUM(people * (income - mean) ^ 2) / SUM(people) * COUNT(*) / (COUNT(*) - 1)) FROM t

--# Variance of all: without n / (n - 1)
--: dataset panel
--: grain person
--: label weighted
SELECT VAR_POP(age) AS variance FROM persons WHERE gender = 'Male'
-->
WITH t AS (SELECT people, age, SUM(people * age) OVER () / SUM(people) OVER () AS mean
           FROM base WHERE gender = 'Male' AND age IS NOT NULL)
SELECT SUM(people * (age - mean) ^ 2) / SUM(people) FROM t

--# Correlation and slope
--: dataset panel
--: grain person
--: label weighted
SELECT CORR(income, age) AS r, REGR_SLOPE(income, age) AS per_year FROM persons
-->
WITH t AS (SELECT people, age - SUM(people * age) OVER () / SUM(people) OVER () AS x,
                  income - SUM(people * income) OVER () / SUM(people) OVER () AS y
           FROM base WHERE age IS NOT NULL AND income IS NOT NULL)
SELECT SUM(people * x * y) / sqrt(SUM(people * x * x) * SUM(people * y * y)), SUM(people * x * y) / SUM(people * x * x)
FROM t
