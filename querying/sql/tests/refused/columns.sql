--# a hidden column
--: name_not_found
--: does shows
SELECT u.email FROM users u

--# a hidden column without a qualifier
--: name_not_found
--: does shows
SELECT email FROM users

--# a hidden column in a filter
--: name_not_found
--: does shows
SELECT count(*) FROM users WHERE phone LIKE '+91%'

--# a hidden column in ORDER BY
--: name_not_found
--: does shows
SELECT name FROM users ORDER BY users.email

--# a hidden column with its schema
--: name_not_found
--: does shows
SELECT public.users.email FROM public.users

--# a hidden column in a correlated sub-select
--: name_not_found
--: does shows
SELECT (SELECT u.email) FROM users u

--# a hidden column from a LATERAL sub-select
--: name_not_found
--: does shows
SELECT x.* FROM users u, LATERAL (SELECT u.phone) AS x

--# a hidden column of a row
--: name_not_found
--: does shows
SELECT (u).email FROM users u

--# a hidden column through a CTE
--: name_not_found
--: does shows
WITH x AS (SELECT * FROM users) SELECT x.email FROM x

--# a hidden column through a sub-select
--: name_not_found
--: does shows
SELECT x.email FROM (SELECT * FROM users) AS x

--# a hidden column of a table in a sub-select that is written like ours
--: name_not_found
--: does shows
SELECT x.email FROM (SELECT user_id, email FROM public.users) AS x

--# a hidden column in a JOIN condition
--: name_not_found
--: does shows
SELECT 1 FROM users a JOIN users b ON a.email = b.email

--# a hidden column in GROUP BY
--: name_not_found
--: does shows
SELECT count(*) FROM users u GROUP BY u.phone

--# a misspelt column
--: name_not_found
--: does fails
SELECT u.gendr FROM users u

--# a misspelt column without a qualifier
--: name_not_found
--: does fails
SELECT platfrom, count(*) FROM events GROUP BY platfrom

--# a column of another table
--: name_not_found
--: does fails
SELECT e.gender FROM events e

--# ctid
--: name_not_found
--: does shows
SELECT u.ctid FROM users u

--# tableoid
--: name_not_found
--: does shows
SELECT tableoid FROM users

--# xmin
--: name_not_found
--: does shows
SELECT users.xmin FROM users

--# a schema-qualified column of a table that has an alias
--: name_not_found
--: does fails
SELECT public.users.name FROM users u

--# a column with the database's name
--: name_not_found
--: does nothing
--: because the column may be seen; the form is not supported
SELECT panel.public.users.name FROM users

--# a hidden column in USING
--: name_not_found
--: does shows
SELECT count(*) FROM users a JOIN users b USING (phone) WHERE a.user_id < 3
