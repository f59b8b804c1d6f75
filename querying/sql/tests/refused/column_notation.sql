--# a function after a constant
SELECT ('/etc/passwd').pg_read_file

--# a function after a cast
SELECT ('/etc/passwd'::text).pg_read_file

--# a function after a function in FROM
SELECT f.pg_read_file FROM unnest(ARRAY['/etc/passwd']) AS f

--# a function after a table
SELECT u.pg_sleep FROM users u

--# a function after a column of a sub-select that has its name
SELECT (x.a).pg_ls_dir FROM (SELECT '.'::text AS a, 1 AS pg_ls_dir) AS x

--# a function as an alias of another relation
SELECT f.pg_read_file FROM unnest(ARRAY['x']) AS f, (SELECT 1 AS pg_read_file) AS g

--# a column list that lends the name
SELECT f.lo_import FROM unnest(ARRAY['x']) AS f, (SELECT 1) AS g (lo_import)

--# a sub-select after which a function stands
SELECT (SELECT 1.5).pg_sleep

--# regclass after a constant
SELECT ('salaries'::text).regclass

--# nextval after a constant
SELECT ('counter').nextval

--# a type input function
SELECT ('salaries').regclassin

--# a function in the middle of a path
SELECT (('x').pg_read_file).length

--# a function after an array element
SELECT ((ARRAY['x'])[1]).pg_read_file

--# a function with a schema-qualified table
SELECT public.users.pg_sleep FROM public.users

--# to_regclass in a filter
SELECT 1 WHERE ('salaries'::text).to_regclass IS NOT NULL

--# a function of no argument
--: name_not_found
SELECT u.txid_current FROM users u

--# a quoted and an escaped name
SELECT ('x').U&"\0070g_read_file"
