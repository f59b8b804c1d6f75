--# a cast to regclass
SELECT 'salaries'::regclass

--# CAST AS regclass
SELECT CAST('salaries' AS regclass)::oid

--# a regclass literal
SELECT regclass 'salaries'

--# a cast to an array of regclass
SELECT '{salaries}'::regclass[]

--# regproc
SELECT 'leak'::regproc

--# regrole
SELECT 'postgres'::regrole

--# regtype with its schema
SELECT 'mood'::pg_catalog.regtype

--# regnamespace quoted
SELECT 'archive'::"regnamespace"

--# the row type of a table
SELECT NULL::users

--# the row type of a table that is not approved
SELECT NULL::public.salaries

--# a domain whose check calls a function
SELECT 'x'::leaking

--# a domain with its schema
SELECT 'x'::public.leaking

--# a type taken from a column
SELECT 1::users.user_id%TYPE

--# a type of an extension
SELECT 'a=>1'::public.hstore

--# a system type in a column definition
SELECT * FROM json_to_record('{"a": "salaries"}') AS x (a regclass)

--# a system type in JSON_TABLE
SELECT * FROM JSON_TABLE('[]'::jsonb, '$[*]' COLUMNS (a regclass PATH '$')) AS j

--# a system type in XMLTABLE
SELECT * FROM XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS b regclass PATH 'b') AS x

--# a system type in JSON_VALUE
SELECT JSON_VALUE('{"a": "salaries"}'::jsonb, '$.a' RETURNING regclass)

--# a system type in JSON_SERIALIZE
SELECT JSON_QUERY('[]'::jsonb, '$' RETURNING public.leaking)

--# XMLSERIALIZE into a domain
SELECT xmlserialize(CONTENT '<a/>'::xml AS leaking)

--# a pseudo-type
SELECT NULL::internal

--# aclitem
SELECT 'postgres=r/postgres'::aclitem

--# tid
SELECT '(0,1)'::tid

--# a type named with an escape
SELECT 'salaries'::U&"regcl\0061ss"

--# a user's operator
SELECT 'a' OPERATOR(public.===) 'b'

--# a user's operator without its schema
SELECT 'a' === 'b'

--# a user's overload of a built-in operator
SELECT 'a'::text OPERATOR(public.+) 'b'::text

--# a user's operator in ORDER BY
SELECT name FROM users ORDER BY name USING OPERATOR(public.===)

--# a user's operator with ANY
SELECT 'a' OPERATOR(public.===) ANY (ARRAY['b'])

--# a user's operator with a sub-select
SELECT 'a' OPERATOR(public.===) ALL (SELECT name FROM users)

--# an unknown operator
SELECT 1 @#@ 2

--# a collation of another schema
SELECT name COLLATE public.mine FROM users

--# pg_typeof compared with a literal
SELECT pg_typeof(1) = 'salaries'
