--# A CTE that drops the weight, and keeps the key
--: dataset panel
--: grain person
--: label weighted
WITH women AS (SELECT person_id, age FROM persons WHERE gender = 'Female')
SELECT AVG(age) AS age FROM women
-->
SELECT SUM(people * age) / SUM(people) FROM base WHERE gender = 'Female'

--# A CTE that drops the weight and the key: both are carried along
--: dataset panel
--: grain person
--: label weighted
WITH adults AS (SELECT gender, income FROM persons WHERE age >= 18),
     earners AS (SELECT gender FROM adults WHERE income IS NOT NULL)
SELECT gender, COUNT(*) AS n FROM earners GROUP BY gender
-->
SELECT gender, SUM(people) FROM base WHERE age >= 18 AND income IS NOT NULL GROUP BY gender

--# A sub-select of events that drops the key
--: dataset panel
--: grain event
--: label weighted
SELECT app, SUM(minutes) AS minutes FROM (SELECT app, minutes FROM events WHERE minutes > 5) AS long GROUP BY app
-->
SELECT app, SUM(people * minutes) FROM events JOIN base USING (person_id) WHERE minutes > 5 GROUP BY app

--# SELECT * gives on what the table shows
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS n FROM (SELECT * FROM persons WHERE online) AS t
-->
SELECT SUM(people) FROM base WHERE online

--# What is weighted once is not weighted again
--: dataset panel
--: grain cell
--: label weighted
WITH by_app AS (SELECT app, COUNT(DISTINCT person_id) AS reach FROM events GROUP BY app)
SELECT AVG(reach) AS mean_reach, MAX(reach) AS best, COUNT(*) AS apps FROM by_app
-->
WITH by_app AS (SELECT app, SUM(people) AS reach
                FROM (SELECT DISTINCT app, person_id, people FROM events JOIN base USING (person_id)) AS t GROUP BY app)
SELECT AVG(reach), MAX(reach), COUNT(*) FROM by_app

--# A scalar sub-select is an estimate of its own
--: dataset panel
--: grain person
--: label weighted
SELECT gender, COUNT(*) * 100.0 / (SELECT COUNT(*) FROM persons) AS pct FROM persons GROUP BY gender
-->
SELECT gender, 100 * SUM(people) / (SELECT SUM(people) FROM base) FROM base GROUP BY gender

--# Compared with a weighted mean: WHERE chooses people
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS above FROM persons WHERE income > (SELECT AVG(income) FROM persons)
-->
SELECT SUM(people) FROM base
WHERE income > (SELECT SUM(people * income) / SUM(people) FILTER (WHERE income IS NOT NULL) FROM base)

--# A scalar sub-select about one person each is not weighted inside
--: dataset panel
--: grain person
--: label weighted
SELECT AVG((SELECT COUNT(*) FROM events e WHERE e.person_id = p.person_id)) AS events_per_head FROM persons p
-->
SELECT SUM(people * (SELECT COUNT(*) FROM events WHERE person_id = base.person_id)) / SUM(people) FROM base

--# A scalar sub-select about one city each is an estimate for the city
--: dataset panel
--: grain plain
--: label weighted
SELECT c.city, (SELECT COUNT(*) FROM persons p WHERE p.city_id = c.city_id) AS n FROM cities c
-->
SELECT city, COALESCE((SELECT SUM(people) FROM base WHERE city_id = cities.city_id), 0) FROM cities

--# EXISTS asks whether there is a row: no weight
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS n FROM persons p
WHERE EXISTS (SELECT 1 FROM events e WHERE e.person_id = p.person_id AND e.minutes > 60)
-->
SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE minutes > 60)

--# NOT EXISTS
--: dataset panel
--: grain person
--: label weighted
SELECT gender, COUNT(*) AS n FROM persons p
WHERE NOT EXISTS (SELECT FROM events e WHERE e.person_id = p.person_id AND e.app = 'Tube') GROUP BY gender
-->
SELECT gender, SUM(people) FROM base
WHERE person_id NOT IN (SELECT person_id FROM events WHERE app = 'Tube' AND person_id IS NOT NULL) GROUP BY gender

--# IN a list of people, each with conditions of his own
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS n FROM persons
WHERE person_id IN (SELECT person_id FROM events GROUP BY person_id HAVING SUM(minutes) > 100)
-->
SELECT SUM(people) FROM base WHERE (SELECT SUM(minutes) FROM events WHERE person_id = base.person_id) > 100

--# Events of people chosen by a CTE
--: dataset panel
--: grain event
--: label weighted
WITH heavy AS (SELECT person_id FROM events GROUP BY person_id HAVING COUNT(*) >= 3)
SELECT e.app, SUM(e.minutes) AS minutes FROM events e JOIN heavy USING (person_id) GROUP BY e.app
-->
SELECT app, SUM(people * minutes) FROM events JOIN base USING (person_id)
WHERE (SELECT COUNT(*) FROM events AS own WHERE own.person_id = base.person_id) >= 3 GROUP BY app

--# Light and heavy users: a class of each person, made from the events of that person
--: dataset panel
--: grain person
--: label weighted
SELECT CASE WHEN minutes >= 100 THEN 'heavy' ELSE 'light' END AS class, COUNT(*) AS n, SUM(minutes) AS minutes
FROM (SELECT person_id, SUM(COALESCE(minutes, 0)) AS minutes FROM events GROUP BY person_id) AS users
GROUP BY 1 ORDER BY 1
-->
SELECT CASE WHEN minutes >= 100 THEN 'heavy' ELSE 'light' END AS class, SUM(people), SUM(people * minutes)
FROM (SELECT person_id, SUM(COALESCE(minutes, 0)) AS minutes FROM events GROUP BY person_id) AS users
JOIN base USING (person_id)
GROUP BY 1 ORDER BY 1

--# First app of each person: DISTINCT ON the key leaves one row of each
--: dataset panel
--: grain person
--: label weighted
SELECT app, COUNT(*) AS n
FROM (SELECT DISTINCT ON (person_id) person_id, app FROM events ORDER BY person_id, day, event_id) AS first GROUP BY app
-->
SELECT app, SUM(people)
FROM (SELECT person_id, (array_agg(app ORDER BY day, event_id))[1] AS app FROM events GROUP BY person_id) AS first
JOIN base USING (person_id) GROUP BY app

--# Last event of each person by ROW_NUMBER
--: dataset panel
--: grain event
--: label weighted
WITH numbered AS (
    SELECT person_id, app, ROW_NUMBER() OVER (PARTITION BY person_id ORDER BY day DESC, event_id DESC) AS place
    FROM events)
SELECT app, COUNT(*) AS n FROM numbered WHERE place = 1 GROUP BY app
-->
SELECT app, SUM(people)
FROM (SELECT person_id, (array_agg(app ORDER BY day DESC, event_id DESC))[1] AS app FROM events
      GROUP BY person_id) AS last
JOIN base USING (person_id) GROUP BY app

--# Two estimates side by side
--: dataset panel
--: grain cell
--: label weighted
SELECT a.n AS persons, b.n AS events
FROM (SELECT COUNT(*) AS n FROM persons) AS a CROSS JOIN (SELECT COUNT(*) AS n FROM events) AS b
-->
SELECT (SELECT SUM(people) FROM base), (SELECT SUM(people) FROM events JOIN base USING (person_id))

--# Estimates joined to a table without weights
--: dataset panel
--: grain cell
--: label weighted
SELECT a.category, SUM(t.minutes) AS minutes
FROM (SELECT app, SUM(minutes) AS minutes FROM events GROUP BY app) AS t JOIN apps a USING (app) GROUP BY a.category
-->
SELECT category, SUM(people * minutes) FROM events JOIN base USING (person_id) JOIN apps USING (app) GROUP BY category

--# LATERAL that gives each person one row
--: dataset panel
--: grain person
--: label weighted
SELECT AVG(t.minutes) AS minutes FROM persons p
CROSS JOIN LATERAL (SELECT SUM(minutes) AS minutes FROM events e WHERE e.person_id = p.person_id) AS t
-->
SELECT SUM(people * minutes) / SUM(people)
FROM (SELECT person_id, SUM(minutes) AS minutes FROM events WHERE minutes IS NOT NULL GROUP BY person_id) AS users
JOIN base USING (person_id)
