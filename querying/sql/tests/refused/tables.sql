--# a table that is not approved
--: name_not_found
--: does shows
SELECT * FROM salaries

--# a table that is not approved, with its schema
--: name_not_found
--: does shows
SELECT * FROM public.salaries

--# a table that is not approved, behind a CTE of its name that is not in scope
--: name_not_found
--: does shows
SELECT * FROM (WITH salaries AS (SELECT 1) SELECT * FROM salaries) AS x, salaries

--# a CTE that reads the table of its own name
--: name_not_found
--: does shows
WITH salaries AS (SELECT * FROM salaries) SELECT * FROM salaries

--# a CTE that reads one defined after it
--: name_not_found
--: does shows
WITH a AS (SELECT * FROM salaries), salaries AS (SELECT 1) SELECT * FROM a

--# a qualified name, which is never a CTE
--: name_not_found
--: does shows
WITH salaries AS (SELECT 1) SELECT * FROM public.salaries

--# a partition that is not approved
--: name_not_found
--: does shows
SELECT * FROM measures_2026_01

--# a table of another database
--: name_not_found
--: does fails
SELECT * FROM postgres.public.users

--# a table of this database, named with it
--: name_not_found
--: does shows
SELECT * FROM panel.public.users

--# a name that stands in two schemas
--: name_not_found
--: does nothing
--: because both tables may be seen; which one is meant is open
SELECT * FROM stores

--# a table in the wrong schema
--: name_not_found
--: does fails
SELECT * FROM archive.users

--# a misspelt table
--: name_not_found
--: does fails
SELECT * FROM usrs

--# a misspelt table in a sub-select
--: name_not_found
--: does fails
SELECT (SELECT count(*) FROM evnts)

--# a table in the wrong case, quoted
--: name_not_found
--: does fails
SELECT * FROM "Users"

--# a CTE used from a sibling sub-select's WITH
--: name_not_found
--: does fails
SELECT * FROM (WITH inner_query AS (SELECT 1) SELECT 1) AS a, (SELECT * FROM inner_query) AS b

--# a CTE of one side of a UNION used on the other
--: name_not_found
--: does fails
(WITH one AS (SELECT 1) SELECT * FROM one) UNION ALL SELECT * FROM one

--# a sequence
--: name_not_found
--: does shows
SELECT last_value FROM counter
