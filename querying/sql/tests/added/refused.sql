--# a function of the database
SELECT leak('x')

--# by its schema
SELECT public.leak('x')

--# quoted
SELECT "public"."leak"('x')

--# in Unicode escapes
SELECT U&"publi\0063".U&"lea\006b"('x')

--# with an odd name
SELECT public."Odd Name"('x')

--# in capitals
SELECT PUBLIC.LEAK('x')

--# an overload of a built-in by its schema
SELECT public.lower(5)

--# an overload of a built-in, meant by its argument
SELECT public.upper(5::bigint)

--# an overload of an extension's function makes the name unusable by its schema
SELECT public.soundex(1)

--# in plpgsql
SELECT shout('x')

--# in FROM
SELECT * FROM rows_of(1)

--# in ROWS FROM
SELECT * FROM ROWS FROM (rows_of(1), generate_series(1, 2))

--# in LATERAL
SELECT * FROM items, LATERAL public.rows_of(item_id)

--# with a default argument
SELECT public.defaulted()

--# planted in pg_catalog
SELECT planted('x')

--# planted in pg_catalog, qualified
SELECT pg_catalog.planted('x')

--# an overload planted in pg_catalog
SELECT initcap(5)

--# an overload planted in pg_catalog, as a column
SELECT (q.x).initcap FROM (SELECT item_id AS x FROM items) q

--# an aggregate
SELECT leak_all(plain) FROM items

--# an aggregate by its schema
SELECT public.leak_all(plain) FROM items

--# an overload of sum
SELECT public.sum(plain) FROM items

--# as a window function
SELECT public.leak_all(plain) OVER () FROM items

--# as a column of a row
--: name_not_found
SELECT (q.x).leak FROM (SELECT plain AS x FROM items) q

--# an operator
SELECT 'a' === 'b'

--# an operator by its schema
SELECT 'a' OPERATOR(public.===) 'b'

--# an overload of an operator by its schema
SELECT 'a' OPERATOR(public.+) 'b'

--# a prefix operator by its schema
SELECT OPERATOR(public.@@@) 'x'

--# an overload of = by its schema
SELECT 5 OPERATOR(public.=) '5'::text

--# an operator planted in pg_catalog
SELECT 'a'::text ## 'b'::text

--# an operator planted in pg_catalog, qualified
SELECT 'a'::text OPERATOR(pg_catalog.##) 'b'::text

--# an operator in ANY
--: unproven
SELECT 'a' OPERATOR(public.===) ANY (ARRAY['b'])

--# an operator over a sub-select
--: unproven
SELECT 'a' OPERATOR(public.===) ANY (SELECT 'b')

--# ORDER BY USING an operator
--: unproven
SELECT plain FROM items ORDER BY plain USING OPERATOR(public.===)

--# a domain
SELECT 'x'::leaking

--# a domain in CAST
SELECT CAST('x' AS public.leaking)

--# a domain over a domain
SELECT 'x'::leaking_within

--# a domain that reads a file
--: unproven
SELECT 'x'::reading

--# an array of a domain
SELECT ARRAY['x']::leaking[]

--# a domain in a column definition
SELECT * FROM json_to_recordset('[{"a": "x"}]') AS t (a leaking)

--# a domain in JSON_TABLE
SELECT * FROM JSON_TABLE('["x"]', '$[*]' COLUMNS (a leaking PATH '$'))

--# a domain in RETURNING
SELECT JSON_VALUE('"x"', '$' RETURNING leaking)

--# a cast with a function
SELECT tone::integer FROM items

--# a cast with a function, of a value whose type cannot be told
SELECT coalesce(tone, 'dark')::integer FROM items

--# a cast between PostgreSQL's own types
SELECT item_id::date FROM items

--# a cast between PostgreSQL's own types, of a literal
SELECT 5::date

--# a cast of an array's elements
SELECT numbers::date[] FROM items

--# a cast that cannot be told from the tree
SELECT (item_id + 1)::date FROM items

--# a composite type
--: unproven
SELECT ROW(1, 'x')::money_pair

--# a value whose type has an implicit cast
--: name_not_found
SELECT length(price) FROM items

--# such a value as text
--: name_not_found
SELECT price::text FROM items

--# a view over a function
SELECT * FROM leaking_view

--# a view over a view over a function
SELECT * FROM behind_view

--# a view that reads a file
--: unproven
SELECT * FROM file_view

--# a view over the catalogue
--: unproven
SELECT * FROM role_view

--# a view over another server
--: unproven
SELECT * FROM remote_view

--# a view in a sub-select
SELECT count(*) FROM items WHERE EXISTS (SELECT 1 FROM behind_view WHERE leaked = 'x')

--# another server
--: unproven
SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (one integer)

--# another server by its schema
--: unproven
SELECT * FROM public.dblink('dbname=postgres', 'SELECT 1') AS t (one integer)

--# a query in text
--: unproven
SELECT * FROM crosstab('SELECT 1, 2, 3') AS t (one integer, two integer)

--# a query in text, walking a tree
--: unproven
SELECT * FROM connectby('items', 'item_id', 'item_id', '1', 0) AS t (one integer, two integer, three integer)

--# a setting of an extension
--: unproven
SELECT set_limit(0.1)

--# a type function of an extension
--: unproven
SELECT citext_cmp('a', 'b')

--# a sampling method of the database
--: unproven
SELECT * FROM items TABLESAMPLE public.leak (1)

--# an implicit cast between PostgreSQL's own types
SELECT '08:00:2b:01:02:03'::macaddr + 1

--# an implicit cast, met through a function
SELECT round(trunc('08:00:2b:01:02:03'::macaddr))

--# an overload as a field while the search path is open
SELECT (q.x).lower FROM (SELECT item_id AS x FROM items) q WHERE EXISTS (SELECT 1 FROM items WHERE name = 'apple')

--# a function as a field that the statement itself names
SELECT (q.x).leak, 1 AS leak FROM (SELECT plain AS x FROM items) q WHERE EXISTS (SELECT 1 FROM items WHERE name = 'apple')

--# a function as a field under an open operator
SELECT (q.x).shout FROM (SELECT plain AS x, 1 AS shout FROM items) q WHERE x <% 'cafe'

--# a domain as a field
SELECT ('x'::text).leaking, 1 AS leaking FROM items WHERE name = 'apple'

--# a domain as a column
SELECT g.leaking, 1 AS leaking FROM unnest(ARRAY['x']) g WHERE EXISTS (SELECT 1 FROM items WHERE name = 'apple')

--# another server as a field
--: unproven
SELECT ('dbname=postgres'::text).dblink_connect, 1 AS dblink_connect FROM items WHERE name = 'apple'

--# names of tables by their numbers
--: unproven
SELECT string_agg((x).regtype::text, ', '), 1 AS regtype FROM generate_series(16384, 16700) q (x)

--# a role by its number
--: unproven
SELECT (x).regrole, 1 AS regrole FROM (SELECT 10 AS x) q

--# whether a name exists
--: unproven
SELECT g.regtype, 1 AS regtype FROM unnest(ARRAY['public.vault']) g

--# a cast in JSON_VALUE's default
SELECT JSON_VALUE('{}', '$.a' RETURNING date DEFAULT 5 ON EMPTY)

--# a cast in JSON_TABLE's default
SELECT * FROM JSON_TABLE('[{}]', '$[*]' COLUMNS (d date PATH '$.a' DEFAULT 5 ON EMPTY))

--# a cast of a field of a composite
SELECT ROW(5, 1)::stamped

--# a cast of an array of composites
SELECT ARRAY[ROW(5, 1)]::stamped[]

--# a cast of a column under another name
SELECT t::integer FROM items i (a, b, c, d, e, f, g, h, k, l, t)

--# a cast of a column of a join under another name
SELECT (j).tone::integer FROM (SELECT 1) q, (items CROSS JOIN (SELECT 2) w) AS j

--# a view that fills rows with a domain
SELECT * FROM filling_view
