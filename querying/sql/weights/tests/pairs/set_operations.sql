--# Net reach: a UNION of keys is people, each once
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS reach
FROM (SELECT person_id FROM events WHERE app = 'Tube' UNION SELECT person_id FROM events WHERE app = 'Flix') AS users
-->
SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app IN ('Tube', 'Flix'))

--# Duplicated reach: INTERSECT
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS reach
FROM (SELECT person_id FROM events WHERE app = 'Tube' INTERSECT SELECT person_id FROM events WHERE app = 'Flix') AS t
-->
SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')
    AND person_id IN (SELECT person_id FROM events WHERE app = 'Flix')

--# Only one of them: EXCEPT
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS lapsed
FROM (SELECT person_id FROM events WHERE day < '2026-02-01' EXCEPT
      SELECT person_id FROM events WHERE day >= '2026-02-01') AS t
-->
SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE day < '2026-02-01')
    AND NOT person_id IN (SELECT person_id FROM events WHERE day >= '2026-02-01' AND person_id IS NOT NULL)

--# UNION ALL of keys is rows: each person once by COUNT(DISTINCT)
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(*) AS rows, COUNT(DISTINCT person_id) AS reach
FROM (SELECT person_id FROM events WHERE app = 'Tube' UNION ALL SELECT person_id FROM events WHERE app = 'Flix') AS t
-->
SELECT SUM(people), (SELECT SUM(people) FROM base
                     WHERE person_id IN (SELECT person_id FROM events WHERE app IN ('Tube', 'Flix')))
FROM events JOIN base USING (person_id) WHERE app IN ('Tube', 'Flix')

--# Estimates one below the other: each branch is weighted
--: dataset panel
--: grain cell
--: label weighted
SELECT 'women' AS who, COUNT(*) AS n FROM persons WHERE gender = 'Female'
UNION ALL
SELECT 'men', COUNT(*) FROM persons WHERE gender = 'Male'
ORDER BY n
-->
SELECT CASE gender WHEN 'Female' THEN 'women' ELSE 'men' END, SUM(people) AS n FROM base GROUP BY gender ORDER BY n

--# Groups and their total
--: dataset panel
--: grain cell
--: label weighted
SELECT gender, AVG(income) AS income FROM persons GROUP BY gender
UNION ALL
SELECT 'all', AVG(income) FROM persons
-->
SELECT COALESCE(gender, 'all'), SUM(people * income) / SUM(people) FILTER (WHERE income IS NOT NULL)
FROM base GROUP BY ROLLUP (gender)
