--# leak in the output
--: does runs
SELECT leak('x')

--# public.leak in a filter
--: does runs
SELECT name FROM users WHERE public.leak('x') IS NOT NULL

--# public.lower in FROM
--: does runs
SELECT * FROM public.lower(1) AS f

--# public.spy in a sub-select of ORDER BY
--: does runs
SELECT 1 ORDER BY (SELECT public.spy(NULL))

--# a quoted name in the output
--: does runs
SELECT "public"."leak"('x')

--# PUBLIC.LEAK in a filter
--: does runs
SELECT name FROM users WHERE PUBLIC.LEAK('x') IS NOT NULL

--# an escaped name in FROM
--: does runs
SELECT * FROM U&"\006ceak"('x') AS f

--# leak_all in a sub-select of ORDER BY
--: does runs
SELECT 1 ORDER BY (SELECT leak_all('x'))

--# public.leak_all in the output
--: does runs
SELECT public.leak_all('x')

--# panel.public.leak in a filter
--: does runs
SELECT name FROM users WHERE panel.public.leak('x') IS NOT NULL

--# archive.anything in FROM
--: does fails
SELECT * FROM archive.anything(1) AS f

--# pg_temp.f in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT pg_temp.f(1))

--# information_schema._pg_char_max_length in the output
--: does nothing
--: because it computes; the schema holds what reads the catalogue too
SELECT information_schema._pg_char_max_length(25, 1)
