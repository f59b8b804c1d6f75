--# A count of rows is a count of projected events, those of unknown people left out
--: dataset panel
--: grain event
--: label weighted
SELECT COUNT(*) AS events FROM events
-->
SELECT SUM(people) FROM events JOIN base USING (person_id)

--# Events by app
--: dataset panel
--: grain event
--: label weighted
SELECT app, COUNT(*) AS opens, COUNT(minutes) AS measured, SUM(minutes) AS minutes FROM events GROUP BY app
-->
SELECT app, SUM(people), COALESCE(SUM(people) FILTER (WHERE minutes IS NOT NULL), 0), SUM(people * minutes)
FROM events JOIN base USING (person_id) GROUP BY app

--# A mean per event: an event without minutes is out of its base
--: dataset panel
--: grain event
--: label weighted
SELECT app, AVG(minutes) AS per_session FROM events GROUP BY app
-->
SELECT app, SUM(people * minutes) / NULLIF(SUM(people) FILTER (WHERE minutes IS NOT NULL), 0)
FROM events JOIN base USING (person_id) GROUP BY app

--# Minutes per person who used it: a total over a reach
--: dataset panel
--: grain event
--: label weighted
SELECT app, SUM(minutes) / COUNT(DISTINCT person_id) AS per_user FROM events GROUP BY app
-->
WITH persons AS (SELECT app, person_id, people, SUM(minutes) AS minutes
                 FROM events JOIN base USING (person_id) GROUP BY app, person_id, people)
SELECT app, SUM(people * minutes) / SUM(people) FROM persons GROUP BY app

--# Minutes per person of the panel, with those who have none
--: dataset panel
--: grain event
--: label weighted
SELECT SUM(e.minutes) / COUNT(DISTINCT p.person_id) AS per_head
FROM persons p LEFT JOIN events e ON e.person_id = p.person_id
-->
SELECT (SELECT SUM(people * minutes) FROM events JOIN base USING (person_id)) / (SELECT SUM(people) FROM base)

--# A LEFT JOIN counts the person without events as one row, and none of its events
--: dataset panel
--: grain event
--: label weighted
SELECT p.gender, COUNT(*) AS lines, COUNT(e.event_id) AS events
FROM persons p LEFT JOIN events e ON e.person_id = p.person_id GROUP BY p.gender
-->
SELECT gender, SUM(people), COALESCE(SUM(people) FILTER (WHERE event_id IS NOT NULL), 0)
FROM base LEFT JOIN events USING (person_id) GROUP BY gender

--# Sum of a condition over events counts events, even where the condition is about the person
--: dataset panel
--: grain event
--: label weighted
SELECT SUM(CASE WHEN p.gender = 'Female' THEN 1 ELSE 0 END) AS by_women, COUNT(*) AS events
FROM events e JOIN persons p ON p.person_id = e.person_id
-->
SELECT SUM(people) FILTER (WHERE gender = 'Female'), SUM(people) FROM events JOIN base USING (person_id)

--# AVG of a person's column over events takes each person once
--: dataset panel
--: grain event
--: label weighted
SELECT e.app, AVG(p.age) AS age_of_users FROM events e JOIN persons p USING (person_id) GROUP BY e.app
-->
SELECT app, SUM(people * age) / NULLIF(SUM(people) FILTER (WHERE age IS NOT NULL), 0)
FROM (SELECT DISTINCT app, person_id, people, age FROM events JOIN base USING (person_id)) AS users GROUP BY app

--# SUM of a person's column over events takes each person once
--: dataset panel
--: grain event
--: label weighted
SELECT SUM(p.income) AS income_of_users FROM persons p JOIN events e USING (person_id) WHERE e.app = 'Tube'
-->
SELECT SUM(people * income) FROM base WHERE person_id IN (SELECT person_id FROM events WHERE app = 'Tube')

--# A share of minutes
--: dataset panel
--: grain event
--: label weighted
SELECT device, SUM(minutes) * 100.0 / SUM(SUM(minutes)) OVER () AS pct FROM events GROUP BY device
-->
SELECT device, 100 * SUM(people * minutes)
    / (SELECT SUM(people * minutes) FROM events JOIN base USING (person_id))
FROM events JOIN base USING (person_id) GROUP BY device

--# Events by month
--: dataset panel
--: grain event
--: label weighted
SELECT date_trunc('month', day)::date AS month, COUNT(*) AS n FROM events GROUP BY 1 ORDER BY 1
-->
SELECT date_trunc('month', day)::date, SUM(people) FROM events JOIN base USING (person_id) GROUP BY 1 ORDER BY 1

--# HAVING on events is in projected events
--: dataset panel
--: grain event
--: label weighted
SELECT app FROM events GROUP BY app HAVING COUNT(*) > 4000 ORDER BY app
-->
SELECT app FROM events JOIN base USING (person_id) GROUP BY app HAVING SUM(people) > 4000 ORDER BY app

--# Minutes of a person, and not of the population, inside; the population outside
--: dataset panel
--: grain person
--: label weighted
SELECT AVG(minutes) AS per_user
FROM (SELECT person_id, SUM(minutes) AS minutes FROM events GROUP BY person_id) AS users
-->
SELECT SUM(people * minutes) / SUM(people)
FROM (SELECT person_id, SUM(minutes) AS minutes FROM events GROUP BY person_id) AS users
JOIN base USING (person_id)

--# How many people came three times or more: the threshold is of a person, the count of the population
--: dataset panel
--: grain person
--: label weighted
SELECT COUNT(*) AS heavy FROM (SELECT person_id FROM events GROUP BY person_id HAVING COUNT(*) >= 3) AS heavy
-->
SELECT SUM(people) FROM base
WHERE person_id IN (SELECT person_id FROM events GROUP BY person_id HAVING COUNT(*) >= 3)

--# Frequency: how many people had how many events
--: dataset panel
--: grain person
--: label weighted
WITH per_person AS (SELECT person_id, COUNT(*) AS times FROM events GROUP BY person_id)
SELECT times, COUNT(*) AS people FROM per_person GROUP BY times ORDER BY times
-->
WITH per_person AS (SELECT person_id, COUNT(*) AS times FROM events GROUP BY person_id)
SELECT times, SUM(people) FROM per_person JOIN base USING (person_id) GROUP BY times ORDER BY times

--# Person and day, then the population: active days weigh what their person weighs
--: dataset panel
--: grain event
--: label weighted
SELECT AVG(times) AS per_active_day
FROM (SELECT person_id, day, COUNT(*) AS times FROM events GROUP BY person_id, day) AS days
-->
SELECT SUM(people * times) / SUM(people)
FROM (SELECT person_id, day, COUNT(*) AS times FROM events GROUP BY person_id, day) AS days
JOIN base USING (person_id)

--# Two steps: per person and app, then per person, then the population
--: dataset panel
--: grain person
--: label weighted
WITH by_app AS (SELECT person_id, app, SUM(minutes) AS minutes FROM events GROUP BY person_id, app),
     by_person AS (SELECT person_id, COUNT(*) AS apps, MAX(minutes) AS most FROM by_app GROUP BY person_id)
SELECT AVG(apps) AS apps, AVG(most) AS most FROM by_person
-->
WITH by_person AS (
    SELECT person_id, COUNT(DISTINCT app) AS apps,
           (SELECT MAX(minutes) FROM (SELECT SUM(minutes) AS minutes FROM events AS own
                                      WHERE own.person_id = events.person_id GROUP BY app) AS t) AS most
    FROM events GROUP BY person_id)
SELECT SUM(people * apps) / SUM(people), SUM(people * most) / SUM(people) FILTER (WHERE most IS NOT NULL)
FROM by_person JOIN base USING (person_id)
