--# a cast to regclass
--: does shows
SELECT 'salaries'::regclass

--# CAST AS regclass
--: does shows
SELECT CAST('salaries' AS regclass)::oid

--# a regclass literal
--: does shows
SELECT regclass 'salaries'

--# a cast to an array of regclass
--: does shows
SELECT '{salaries}'::regclass[]

--# regproc
--: does shows
SELECT 'leak'::regproc

--# regrole
--: does shows
SELECT 'postgres'::regrole

--# regtype with its schema
--: does nothing
--: because the type is one of a visible column
SELECT 'mood'::pg_catalog.regtype

--# regnamespace quoted
--: does nothing
--: because the schema is one of a visible table
SELECT 'archive'::"regnamespace"

--# the row type of a table
--: does nothing
--: because no row is made
SELECT NULL::users

--# the row type of a table that is not approved
--: does shows
SELECT NULL::public.salaries

--# a domain whose check calls a function
--: does runs
SELECT 'x'::leaking

--# a domain with its schema
--: does runs
SELECT 'x'::public.leaking

--# a type taken from a column
--: does fails
SELECT 1::users.user_id%TYPE

--# a type of an extension
--: does fails
SELECT 'a=>1'::public.hstore

--# a system type in a column definition
--: does shows
SELECT * FROM json_to_record('{"a": "salaries"}') AS x (a regclass)

--# a system type in JSON_TABLE
--: does nothing
--: because there is no row to convert
SELECT * FROM JSON_TABLE('[]'::jsonb, '$[*]' COLUMNS (a regclass PATH '$')) AS j

--# a system type in XMLTABLE
--: does fails
SELECT * FROM XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS b regclass PATH 'b') AS x

--# a system type in JSON_VALUE
--: does shows
SELECT JSON_VALUE('{"a": "salaries"}'::jsonb, '$.a' RETURNING regclass)

--# a system type in JSON_SERIALIZE
--: does runs
SELECT JSON_QUERY('[]'::jsonb, '$' RETURNING public.leaking)

--# XMLSERIALIZE into a domain
--: does fails
SELECT xmlserialize(CONTENT '<a/>'::xml AS leaking)

--# a pseudo-type
--: does fails
SELECT NULL::internal

--# aclitem
--: does shows
SELECT 'postgres=r/postgres'::aclitem

--# tid
--: does nothing
--: because it is a value like others; only hidden columns hold it
SELECT '(0,1)'::tid

--# a type named with an escape
--: does shows
SELECT 'salaries'::U&"regcl\0061ss"

--# a user's operator
--: does runs
SELECT 'a' OPERATOR(public.===) 'b'

--# a user's operator without its schema
--: does runs
SELECT 'a' === 'b'

--# a user's overload of a built-in operator
--: does runs
SELECT 'a'::text OPERATOR(public.+) 'b'::text

--# a user's operator in ORDER BY
--: does fails
SELECT name FROM users ORDER BY name USING OPERATOR(public.===)

--# a user's operator with ANY
--: does fails
SELECT 'a' OPERATOR(public.===) ANY (ARRAY['b'])

--# a user's operator with a sub-select
--: does fails
SELECT 'a' OPERATOR(public.===) ALL (SELECT name FROM users)

--# an unknown operator
--: does fails
SELECT 1 @#@ 2

--# a collation of another schema
--: does fails
SELECT name COLLATE public.mine FROM users

