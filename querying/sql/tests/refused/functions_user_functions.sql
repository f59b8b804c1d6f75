--# leak in the output
SELECT leak('x')

--# public.leak in a filter
SELECT name FROM users WHERE public.leak('x') IS NOT NULL

--# public.lower in FROM
SELECT * FROM public.lower(1) AS f

--# public.spy in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT public.spy(NULL))

--# a quoted name in the output
SELECT "public"."leak"('x')

--# PUBLIC.LEAK in a filter
SELECT name FROM users WHERE PUBLIC.LEAK('x') IS NOT NULL

--# an escaped name in FROM
SELECT * FROM U&"\006ceak"('x') AS f

--# leak_all in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT leak_all('x'))

--# public.leak_all in the output
SELECT public.leak_all('x')

--# panel.public.leak in a filter
SELECT name FROM users WHERE panel.public.leak('x') IS NOT NULL

--# archive.anything in FROM
SELECT * FROM archive.anything(1) AS f

--# pg_temp.f in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT pg_temp.f(1))

--# information_schema._pg_char_max_length in the output
SELECT information_schema._pg_char_max_length(25, 1)
