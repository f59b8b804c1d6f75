--# Reach by month: each month with its own weights
--: dataset months
--: grain event
--: label weighted
SELECT date_trunc('month', day)::date AS month, COUNT(DISTINCT person_id) AS reach FROM views GROUP BY 1 ORDER BY 1
-->
SELECT month, SUM(weight)
FROM base_months JOIN (SELECT DISTINCT person_id, date_trunc('month', day)::date AS month FROM views) AS users
    USING (person_id, month)
GROUP BY month ORDER BY month

--# Reach by year and month
--: dataset months
--: grain event
--: label weighted
SELECT EXTRACT(YEAR FROM day) AS year, EXTRACT(MONTH FROM day) AS month, COUNT(DISTINCT person_id) AS reach
FROM views GROUP BY 1, 2
-->
SELECT EXTRACT(YEAR FROM month), EXTRACT(MONTH FROM month), SUM(weight)
FROM base_months JOIN (SELECT DISTINCT person_id, date_trunc('month', day)::date AS month FROM views) AS users
    USING (person_id, month)
GROUP BY 1, 2

--# One month named in WHERE
--: dataset months
--: grain event
--: label weighted
SELECT channel, COUNT(DISTINCT person_id) AS reach FROM views
WHERE day >= '2026-02-01' AND day < '2026-03-01' GROUP BY channel
-->
SELECT channel, SUM(weight) FROM (SELECT DISTINCT channel, person_id FROM views WHERE to_char(day, 'MM') = '02') AS users
JOIN base_months ON base_months.person_id = users.person_id AND month = '2026-02-01' GROUP BY channel

--# One month by BETWEEN
--: dataset months
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) AS reach FROM views WHERE day BETWEEN '2026-01-01' AND '2026-01-31'
-->
SELECT SUM(weight) FROM base_months
WHERE month = '2026-01-01' AND person_id IN (SELECT person_id FROM views WHERE day < '2026-02-01')

--# Totals of events may span months: each event weighs what its person weighs in its month
--: dataset months
--: grain event
--: label weighted
SELECT channel, COUNT(*) AS views, SUM(minutes) AS minutes, AVG(minutes) AS mean FROM views GROUP BY channel
-->
SELECT channel, SUM(weight), SUM(weight * minutes), SUM(weight * minutes) / SUM(weight) FILTER (WHERE minutes IS NOT NULL)
FROM views JOIN base_months ON base_months.person_id = views.person_id AND month = date_trunc('month', day)
GROUP BY channel

--# By an attribute of the person, month by month
--: dataset months
--: grain event
--: label weighted
SELECT p.gender, to_char(v.day, 'YYYY-MM') AS month, COUNT(DISTINCT p.person_id) AS reach
FROM viewers p JOIN views v USING (person_id) GROUP BY 1, 2
-->
SELECT gender, to_char(month, 'YYYY-MM'), SUM(weight)
FROM base_months JOIN viewers USING (person_id)
JOIN (SELECT DISTINCT person_id, date_trunc('month', day)::date AS month FROM views) AS users USING (person_id, month)
GROUP BY 1, 2

--# Minutes per user and month: a mean of one month's people
--: dataset months
--: grain event
--: label weighted
SELECT AVG(minutes) AS per_user
FROM (SELECT person_id, date_trunc('month', day) AS month, SUM(minutes) AS minutes FROM views GROUP BY 1, 2) AS users
WHERE month = '2026-01-01'
-->
SELECT SUM(weight * minutes) / SUM(weight)
FROM (SELECT person_id, SUM(minutes) AS minutes FROM views WHERE day < '2026-02-01' GROUP BY person_id) AS users
JOIN base_months ON base_months.person_id = users.person_id AND month = '2026-01-01'

--# Month over month
--: dataset months
--: grain cell
--: label weighted
WITH months AS (SELECT date_trunc('month', day) AS month, COUNT(DISTINCT person_id) AS reach FROM views GROUP BY 1)
SELECT month, reach - LAG(reach) OVER (ORDER BY month) AS change FROM months
-->
WITH months AS (SELECT month, SUM(weight) AS reach
                FROM base_months JOIN (SELECT DISTINCT person_id, date_trunc('month', day)::date AS month FROM views) AS t
                    USING (person_id, month)
                GROUP BY month)
SELECT date_trunc('month', month), reach - LAG(reach) OVER (ORDER BY month) FROM months

--# Reach over two months: whose weight?
--: dataset months
--: refused weights hold for one month each
SELECT COUNT(DISTINCT person_id) AS reach FROM views WHERE day < '2026-03-01'

--# People without a word on time
--: dataset months
--: refused weights hold for one month each
SELECT gender, COUNT(*) AS n FROM viewers GROUP BY gender

--# The number of a month alone does not tell the month
--: dataset months
--: refused weights hold for one month each
SELECT EXTRACT(MONTH FROM day) AS month, COUNT(DISTINCT person_id) AS reach FROM views GROUP BY 1

--# A quarter is three months
--: dataset months
--: refused weights hold for one month each
SELECT date_trunc('quarter', day) AS quarter, COUNT(DISTINCT person_id) AS reach FROM views GROUP BY 1

--# Rule mean: the mean of the months that the question spans
--: dataset months_mean
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) AS reach FROM views WHERE day >= '2026-01-01' AND day < '2026-03-01'
-->
SELECT SUM(weight)
FROM (SELECT person_id, AVG(weight) AS weight FROM base_months WHERE month < '2026-03-01' GROUP BY person_id) AS mean
WHERE person_id IN (SELECT person_id FROM views WHERE day < '2026-03-01')

--# Rule mean, without a word on time: the mean of all months
--: dataset months_mean
--: grain person
--: label weighted
SELECT gender, COUNT(*) AS n, AVG(age) AS age FROM viewers GROUP BY gender
-->
SELECT gender, SUM(weight), SUM(weight * age) / SUM(weight)
FROM (SELECT person_id, AVG(weight) AS weight FROM base_months GROUP BY person_id) AS mean JOIN viewers USING (person_id)
GROUP BY gender

--# Rule last: the weight in the last month of the question; who has none then is out
--: dataset months_last
--: grain event
--: label weighted
SELECT channel, COUNT(DISTINCT person_id) AS reach FROM views WHERE day < '2026-03-01' GROUP BY channel
-->
SELECT channel, SUM(weight)
FROM (SELECT DISTINCT channel, person_id FROM views WHERE day < '2026-03-01') AS users
JOIN base_months USING (person_id) WHERE month = '2026-02-01' GROUP BY channel

--# Rule last, without a word on time: the last month of all
--: dataset months_last
--: grain person
--: label weighted
SELECT COUNT(*) AS n FROM viewers
-->
SELECT SUM(weight) FROM base_months JOIN viewers USING (person_id) WHERE month = '2026-03-01'

--# A rule is for questions that span months only: events keep the weight of theirs
--: dataset months_mean
--: grain event
--: label weighted
SELECT SUM(minutes) AS minutes FROM views
-->
SELECT SUM(weight * minutes)
FROM views JOIN base_months ON base_months.person_id = views.person_id AND month = date_trunc('month', day)

--# Reach and minutes over months under rule mean: each by its own rule
--: dataset months_mean
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) AS reach, COUNT(*) AS views FROM views
-->
SELECT (SELECT SUM(weight) FROM (SELECT person_id, AVG(weight) AS weight FROM base_months GROUP BY person_id) AS mean
        WHERE person_id IN (SELECT person_id FROM views)),
       (SELECT SUM(weight) FROM views
        JOIN base_months ON base_months.person_id = views.person_id AND month = date_trunc('month', day))

--# Reach and minutes over months under rule last: who left the panel is out of the reach, not of the minutes
--: dataset months_last
--: grain event
--: label weighted
SELECT COUNT(DISTINCT person_id) AS reach, SUM(minutes) AS minutes FROM views
-->
SELECT (SELECT SUM(weight) FROM base_months WHERE month = '2026-03-01' AND person_id IN (SELECT person_id FROM views)),
       (SELECT SUM(weight * minutes) FROM views
        JOIN base_months ON base_months.person_id = views.person_id AND month = date_trunc('month', day))
