--# Reach: each person once, however often they came
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) AS reach FROM events WHERE app = 'Tube'
-->
SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')

--# Reach by app: a person of two apps is in both
--: dataset panel
--: grain event
--: label weighted
SELECT app, COUNT(DISTINCT person_id) AS reach FROM events GROUP BY app ORDER BY reach DESC
-->
SELECT app, SUM(people) AS reach
FROM (SELECT DISTINCT app, person_id, people FROM events JOIN base USING (person_id)) AS users
GROUP BY app ORDER BY reach DESC

--# Reach of people is not the sum of the reach of groups: ROLLUP counts them anew
--: dataset panel
--: grain event
--: label weighted
SELECT COALESCE(app, 'all') AS app, COUNT(DISTINCT person_id) AS reach FROM events GROUP BY ROLLUP (app)
-->
SELECT app, SUM(people) FROM (SELECT DISTINCT app, person_id, people FROM events JOIN base USING (person_id)) AS users
GROUP BY app
UNION ALL
SELECT 'all', SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events)

--# Grouping sets of the person's attribute and of the app
--: dataset panel
--: grain event
--: label weighted
SELECT gender, app, COUNT(DISTINCT person_id) AS reach, SUM(minutes) AS minutes
FROM events JOIN persons USING (person_id) GROUP BY GROUPING SETS ((gender), (app), ())
-->
WITH users AS (SELECT person_id, people, gender, app, SUM(minutes) AS minutes
               FROM events JOIN base USING (person_id) GROUP BY 1, 2, 3, 4)
SELECT gender, NULL AS app, (SELECT SUM(people) FROM base WHERE base.gender = users.gender AND person_id IN (SELECT person_id FROM events)) AS reach, SUM(people * minutes) FROM users GROUP BY gender
UNION ALL SELECT NULL, app, SUM(people), SUM(people * minutes) FROM users GROUP BY app
UNION ALL SELECT NULL, NULL, (SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events)),
                 SUM(people * minutes) FROM users

--# Reach with a FILTER
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) FILTER (WHERE app = 'Tube') AS tube,
       COUNT(DISTINCT person_id) FILTER (WHERE app = 'Flix' AND minutes > 60) AS long_flix
FROM events
-->
SELECT (SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')),
       (SELECT SUM(people) FROM base
        WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Flix' AND minutes > 60))

--# Reach by CASE
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT CASE WHEN app = 'Tube' THEN person_id END) AS tube, COUNT(DISTINCT person_id) AS anything
FROM events
-->
SELECT (SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')),
       (SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events))

--# A share of people: two reaches
--: dataset panel
--: grain event
--: label weighted
SELECT 100.0 * COUNT(DISTINCT CASE WHEN e.app = 'Tube' THEN p.person_id END) / COUNT(DISTINCT p.person_id) AS pct
FROM persons p LEFT JOIN events e USING (person_id)
-->
SELECT 100 * SUM(people) FILTER (WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')) / SUM(people)
FROM base

--# Person-days: distinct pairs of a person and something else
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT (person_id, day)) AS person_days FROM events
-->
SELECT SUM(people) FROM (SELECT DISTINCT person_id, day FROM events) AS days JOIN base USING (person_id)

--# Person-days written as joined texts
--: dataset panel
--: grain event
--: label weighted
SELECT app, COUNT(DISTINCT person_id::text || '-' || day::text) AS person_days FROM events GROUP BY app
-->
SELECT app, SUM(people) FROM (SELECT DISTINCT app, person_id, day FROM events) AS days JOIN base USING (person_id)
GROUP BY app

--# Pairs in which the other value may be NULL: it is one more value
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT (person_id, device)) AS person_devices FROM events
-->
SELECT SUM(people) FROM (SELECT DISTINCT person_id, device FROM events) AS devices JOIN base USING (person_id)

--# Distinct values of the sample beside a reach: counted as they are seen
--: dataset panel
--: grain event
--: label weighted
SELECT category, COUNT(DISTINCT app) AS apps, COUNT(DISTINCT person_id) AS reach
FROM events JOIN apps USING (app) GROUP BY category
-->
SELECT category, apps, SUM(people)
FROM (SELECT category, COUNT(DISTINCT app) AS apps FROM events JOIN apps USING (app) JOIN base USING (person_id) GROUP BY 1) AS seen
JOIN (SELECT DISTINCT category, person_id FROM events JOIN apps USING (app)) AS users USING (category)
JOIN base USING (person_id)
GROUP BY category, apps

--# Reach by month
--: dataset panel
--: grain event
--: label weighted
SELECT to_char(day, 'YYYY-MM') AS month, COUNT(DISTINCT person_id) AS reach FROM events GROUP BY 1 ORDER BY 1
-->
SELECT month, SUM(people) FROM (SELECT DISTINCT to_char(day, 'YYYY-MM') AS month, person_id FROM events) AS users
JOIN base USING (person_id) GROUP BY month ORDER BY month

--# HAVING on a reach
--: dataset panel
--: grain event
--: label weighted
SELECT app, AVG(minutes) AS minutes FROM events GROUP BY app HAVING COUNT(DISTINCT person_id) >= 5000
-->
SELECT app, SUM(people * minutes) / SUM(people) FILTER (WHERE minutes IS NOT NULL)
FROM events JOIN base USING (person_id) GROUP BY app
HAVING app IN (SELECT app FROM (SELECT DISTINCT app, person_id, people FROM events JOIN base USING (person_id)) AS users
               GROUP BY app HAVING SUM(people) >= 5000)

--# Reach by an attribute of the person
--: dataset panel
--: grain event
--: label weighted
SELECT p.gender, COUNT(DISTINCT e.person_id) AS reach
FROM events e JOIN persons p ON p.person_id = e.person_id AND e.app IN ('Tube', 'Flix') GROUP BY p.gender
-->
SELECT gender, SUM(people) FROM base
WHERE person_id IN (SELECT person_id FROM events WHERE app IN ('Tube', 'Flix')) GROUP BY gender

--# Net reach of two apps: the same people twice are one
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) AS both
FROM events a JOIN events b USING (person_id) WHERE a.app = 'Tube' AND b.app = 'Flix'
-->
SELECT SUM(people) FROM base
WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')
  AND person_id IN (SELECT person_id FROM events WHERE app = 'Flix')

--# Distinct people as rows, then counted
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS reach FROM (SELECT DISTINCT person_id FROM events WHERE app = 'Chat') AS users
-->
SELECT SUM(people) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Chat')

--# Distinct people and apps as rows, then counted by app
--: dataset panel
--: grain event
--: label weighted
SELECT app, COUNT(*) AS reach FROM (SELECT DISTINCT person_id, app FROM events) AS users GROUP BY app
-->
SELECT app, SUM(people) FROM (SELECT DISTINCT person_id, app FROM events) AS users JOIN base USING (person_id)
GROUP BY app
