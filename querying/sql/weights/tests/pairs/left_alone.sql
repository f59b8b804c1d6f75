--# Rows of people are rows of the sample
--: dataset panel
--: grain person
--: label sample
SELECT person_id, gender, age FROM persons WHERE age > 50 ORDER BY person_id

--# A list of people with counts of their own
--: dataset panel
--: grain event
--: label sample
SELECT person_id, COUNT(*) AS times, SUM(minutes) AS minutes FROM events GROUP BY person_id ORDER BY times DESC, person_id LIMIT 5

--# The list from the person's table
--: dataset panel
--: grain event
--: label sample
SELECT p.person_id, p.gender, COUNT(e.event_id) AS times, AVG(e.minutes) AS minutes
FROM persons p LEFT JOIN events e USING (person_id) GROUP BY p.person_id, p.gender ORDER BY p.person_id

--# Distinct values that were seen
--: dataset panel
--: grain event
--: label sample
SELECT DISTINCT app FROM events ORDER BY app

--# How many values were seen cannot be projected
--: dataset panel
--: grain event
--: label sample
SELECT COUNT(DISTINCT app) AS apps, COUNT(DISTINCT day) AS days FROM events

--# The span of the data
--: dataset panel
--: grain event
--: label sample
SELECT MIN(day), MAX(day) FROM events

--# Lists of values by group
--: dataset panel
--: grain event
--: label sample
SELECT device, array_agg(DISTINCT app ORDER BY app) AS apps, string_agg(DISTINCT app, ', ') AS text FROM events GROUP BY device

--# Whether anybody did
--: dataset panel
--: grain event
--: label sample
SELECT app, bool_or(minutes > 100) AS any_long FROM events GROUP BY app

--# A table without units
--: dataset panel
--: grain plain
--: label none
SELECT region, COUNT(*) AS cities FROM cities GROUP BY region

--# No table at all
--: dataset panel
--: grain plain
--: label none
SELECT 1 + 1 AS two

--# Rows numbered within each person
--: dataset panel
--: grain event
--: label sample
SELECT person_id, event_id, day - LAG(day) OVER (PARTITION BY person_id ORDER BY day, event_id) AS pause FROM events

--# A running count within each person
--: dataset panel
--: grain event
--: label sample
SELECT event_id, COUNT(*) OVER (PARTITION BY person_id ORDER BY event_id) AS nth FROM events

--# UNION of rows
--: dataset panel
--: grain person
--: label sample
SELECT person_id FROM events WHERE app = 'Tube' UNION SELECT person_id FROM events WHERE app = 'Flix'
