--# A share by a window over counts: the count is weighted, the window adds estimates up
--: dataset panel
--: grain person
--: label weighted
SELECT gender, COUNT(*) * 100.0 / SUM(COUNT(*)) OVER () AS pct FROM persons GROUP BY gender
-->
SELECT gender, 100 * SUM(people) / (SELECT SUM(people) FROM base) FROM base GROUP BY gender

--# A share within a group
--: dataset panel
--: grain person
--: label weighted
SELECT gender, online, ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY gender), 1) AS pct
FROM persons GROUP BY gender, online ORDER BY gender, online
-->
SELECT gender, online,
       ROUND((100 * SUM(people) / (SELECT SUM(people) FROM base AS own WHERE own.gender = base.gender))::numeric, 1)
FROM base GROUP BY gender, online ORDER BY gender, online

--# A running total
--: dataset panel
--: grain event
--: label weighted
SELECT day, SUM(COUNT(*)) OVER (ORDER BY day) AS so_far FROM events GROUP BY day ORDER BY day
-->
SELECT day, (SELECT SUM(people) FROM events AS earlier JOIN base USING (person_id) WHERE earlier.day <= days.day)
FROM (SELECT DISTINCT day FROM events JOIN base USING (person_id)) AS days ORDER BY day

--# Month over month: LAG over estimates
--: dataset panel
--: grain cell
--: label weighted
WITH months AS (SELECT date_trunc('month', day)::date AS month, COUNT(DISTINCT person_id) AS reach
                FROM events GROUP BY 1)
SELECT month, reach, ROUND(100.0 * (reach - LAG(reach) OVER (ORDER BY month)) / LAG(reach) OVER (ORDER BY month), 1) AS pct
FROM months ORDER BY month
-->
WITH months AS (SELECT month, SUM(people) AS reach
                FROM (SELECT DISTINCT date_trunc('month', day)::date AS month, person_id, people
                      FROM events JOIN base USING (person_id)) AS users
                GROUP BY month)
SELECT month, reach, ROUND((100 * (reach / LAG(reach) OVER (ORDER BY month) - 1))::numeric, 1) FROM months ORDER BY month

--# Rank of estimates
--: dataset panel
--: grain event
--: label weighted
SELECT app, RANK() OVER (ORDER BY COUNT(DISTINCT person_id) DESC) AS place FROM events GROUP BY app
-->
SELECT app, RANK() OVER (ORDER BY SUM(people) DESC)
FROM (SELECT DISTINCT app, person_id, people FROM events JOIN base USING (person_id)) AS users GROUP BY app

--# The best app of each device: a rank of estimates, filtered outside
--: dataset panel
--: grain cell
--: label weighted
SELECT device, app FROM (
    SELECT device, app, ROW_NUMBER() OVER (PARTITION BY device ORDER BY SUM(minutes) DESC NULLS LAST) AS place
    FROM events WHERE device IS NOT NULL GROUP BY device, app) AS ranked
WHERE place = 1
-->
SELECT DISTINCT ON (device) device, app
FROM (SELECT device, app, SUM(people * minutes) AS minutes FROM events JOIN base USING (person_id)
      WHERE device IS NOT NULL GROUP BY device, app) AS t
ORDER BY device, minutes DESC NULLS LAST

--# A window over rows adds people up, too
--: dataset panel
--: grain person
--: label weighted
SELECT DISTINCT gender, COUNT(*) OVER (PARTITION BY gender) AS n FROM persons
-->
SELECT gender, SUM(people) FROM base GROUP BY gender

--# A share of a share: percent of the largest
--: dataset panel
--: grain event
--: label weighted
SELECT app, SUM(minutes) / MAX(SUM(minutes)) OVER () AS of_largest FROM events GROUP BY app
-->
WITH t AS (SELECT app, SUM(people * minutes) AS minutes FROM events JOIN base USING (person_id) GROUP BY app)
SELECT app, minutes / (SELECT MAX(minutes) FROM t) FROM t

--# A moving average over months of estimates
--: dataset panel
--: grain cell
--: label weighted
WITH days AS (SELECT day, SUM(minutes) AS minutes FROM events GROUP BY day)
SELECT day, AVG(minutes) OVER (ORDER BY day ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS smooth FROM days
-->
WITH days AS (SELECT day, SUM(people * minutes) AS minutes FROM events JOIN base USING (person_id) GROUP BY day)
SELECT day, AVG(minutes) OVER (ORDER BY day ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM days
