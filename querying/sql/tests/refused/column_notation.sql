--# a function after a constant
--: does shows
SELECT ('/etc/passwd').pg_read_file

--# a function after a cast
--: does shows
SELECT ('/etc/passwd'::text).pg_read_file

--# a function after a function in FROM
--: does shows
SELECT f.pg_read_file FROM unnest(ARRAY['/etc/passwd']) AS f

--# a function after a table
--: does fails
SELECT u.pg_sleep FROM users u

--# a function after a column of a sub-select that has its name
--: does shows
SELECT (x.a).pg_ls_dir FROM (SELECT '.'::text AS a, 1 AS pg_ls_dir) AS x

--# a function as an alias of another relation
--: does shows
SELECT f.pg_read_file FROM unnest(ARRAY['x']) AS f, (SELECT 1 AS pg_read_file) AS g

--# a column list that lends the name
--: does changes
SELECT f.lo_import FROM unnest(ARRAY['x']) AS f, (SELECT 1) AS g (lo_import)

--# a sub-select after which a function stands
--: does waits
SELECT (SELECT 1.5).pg_sleep

--# regclass after a constant
--: does shows
SELECT ('salaries'::text).regclass

--# nextval after a constant
--: does changes
SELECT ('counter').nextval

--# a type input function
--: does shows
SELECT ('salaries').regclassin

--# a function in the middle of a path
--: does shows
SELECT (('x').pg_read_file).length

--# a function after an array element
--: does shows
SELECT ((ARRAY['x'])[1]).pg_read_file

--# a function with a schema-qualified table
--: does fails
SELECT public.users.pg_sleep FROM public.users

--# to_regclass in a filter
--: does shows
SELECT 1 WHERE ('salaries'::text).to_regclass IS NOT NULL

--# a function of no argument
--: name_not_found
--: does fails
SELECT u.txid_current FROM users u

--# a quoted and an escaped name
--: does shows
SELECT ('x').U&"\0070g_read_file"
