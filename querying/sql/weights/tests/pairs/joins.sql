--# A look-up by a key adds columns, not rows
--: dataset panel
--: grain person
--: label weighted
SELECT c.region, COUNT(*) AS n FROM persons p JOIN cities c ON c.city_id = p.city_id GROUP BY c.region
-->
SELECT region, SUM(people) FROM base JOIN cities USING (city_id) GROUP BY region

--# A LEFT JOIN of a look-up keeps those without one
--: dataset panel
--: grain person
--: label weighted
SELECT c.region, COUNT(*) AS n, AVG(p.income) AS income
FROM persons p LEFT JOIN cities c ON c.city_id = p.city_id GROUP BY c.region
-->
SELECT region, SUM(people), SUM(people * income) / SUM(people) FILTER (WHERE income IS NOT NULL)
FROM base LEFT JOIN cities USING (city_id) GROUP BY region

--# A table without a key may repeat people: each still counts once in COUNT(DISTINCT key) and in AVG
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(DISTINCT p.person_id) AS n, AVG(p.age) AS age
FROM persons p JOIN city_notes n ON n.city_id = p.city_id
-->
SELECT SUM(people), SUM(people * age) / SUM(people) FILTER (WHERE age IS NOT NULL)
FROM base WHERE city_id IN (SELECT city_id FROM city_notes)

--# Groups of a table that repeats people: a person is in each of theirs
--: dataset panel
--: grain event
--: label weighted
SELECT n.note, COUNT(DISTINCT p.person_id) AS people FROM persons p JOIN city_notes n USING (city_id) GROUP BY n.note
-->
SELECT note, SUM(people) FROM base JOIN city_notes USING (city_id) GROUP BY note

--# A look-up of a look-up of an event
--: dataset panel
--: grain event
--: label weighted
SELECT a.category, c.region, SUM(e.minutes) AS minutes
FROM events e
JOIN persons p ON e.person_id = p.person_id
JOIN cities c ON c.city_id = p.city_id
LEFT JOIN apps a ON a.app = e.app
GROUP BY a.category, c.region
-->
SELECT category, region, SUM(people * minutes)
FROM events JOIN base USING (person_id) JOIN cities USING (city_id) LEFT JOIN apps USING (app)
GROUP BY category, region

--# Joined in WHERE, as older SQL does
--: dataset panel
--: grain event
--: label weighted
SELECT p.gender, COUNT(*) AS n FROM events e, persons p WHERE e.person_id = p.person_id GROUP BY p.gender
-->
SELECT gender, SUM(people) FROM events JOIN base USING (person_id) GROUP BY gender

--# From the look-up to the people: a city without people is a row that counts nobody
--: dataset panel
--: grain person
--: label weighted
SELECT c.city, COUNT(p.person_id) AS people, COUNT(DISTINCT p.person_id) AS distinct_people
FROM cities c LEFT JOIN persons p ON p.city_id = c.city_id AND p.age > 60 GROUP BY c.city
-->
SELECT city, 0, 0 FROM cities

--# People whose event is not there: an anti-join
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(*) AS silent FROM persons p LEFT JOIN events e ON e.person_id = p.person_id WHERE e.event_id IS NULL
-->
SELECT SUM(people) FROM base WHERE person_id NOT IN (SELECT person_id FROM events WHERE person_id IS NOT NULL)

--# Events of people whom nobody knows have no weight, whatever keeps their rows
--: dataset panel
--: grain event
--: label weighted
SELECT p.gender, COUNT(*) AS n FROM events e LEFT JOIN persons p ON p.person_id = e.person_id GROUP BY p.gender
-->
SELECT gender, SUM(people) FROM events JOIN base USING (person_id) GROUP BY gender

--# People beside what each of them did, aggregated before it is joined
--: dataset panel
--: grain person
--: label weighted
SELECT p.gender, AVG(COALESCE(e.minutes, 0)) AS minutes
FROM persons p
LEFT JOIN (SELECT person_id, SUM(minutes) AS minutes FROM events GROUP BY person_id) AS e USING (person_id)
GROUP BY p.gender
-->
SELECT gender, SUM(people * COALESCE((SELECT SUM(minutes) FROM events WHERE person_id = base.person_id), 0))
    / SUM(people)
FROM base GROUP BY gender

--# Two tables of events, each aggregated by the person before they meet
--: dataset panel
--: grain person
--: label weighted
WITH january AS (SELECT person_id, SUM(minutes) AS minutes FROM events WHERE day < '2026-02-01' GROUP BY person_id),
     february AS (SELECT person_id, SUM(minutes) AS minutes FROM events WHERE day >= '2026-02-01' GROUP BY person_id)
SELECT AVG(february.minutes - january.minutes) AS change FROM january JOIN february USING (person_id)
-->
WITH changes AS (SELECT person_id, SUM(minutes) FILTER (WHERE day >= '2026-02-01')
                     - SUM(minutes) FILTER (WHERE day < '2026-02-01') AS change
                 FROM events GROUP BY person_id)
SELECT SUM(people * change) / SUM(people) FROM changes JOIN base USING (person_id) WHERE change IS NOT NULL

--# One constant row beside each person
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) FILTER (WHERE p.income > limits.low) AS above
FROM persons p CROSS JOIN (SELECT 40000 AS low) AS limits
-->
SELECT SUM(people) FROM base WHERE income > 40000
