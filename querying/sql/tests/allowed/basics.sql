--# a constant
SELECT 1

--# nothing at all
SELECT

--# all columns
SELECT * FROM users ORDER BY user_id

--# a trailing semicolon and comments
-- how many are there?
SELECT /* all /* of */ them */ count(*) FROM users; -- thanks

--# words of harm in strings
SELECT 'DROP TABLE users; --' AS a, 'DELETE FROM x' AS b, $$; COMMIT; $$ AS c, E'it\'s; UPDATE' AS d, 'a;b' AS e

--# columns named like statements
SELECT updated_at, "delete", u.updated_at AS "update", create_date FROM users u, documents ORDER BY 1, 2, 4

--# a filter on a column named delete
SELECT count(*) FROM users WHERE NOT "delete"

--# names in unicode
SELECT "Größe" AS "größte", max(users."Größe") OVER () AS 名前 FROM users ORDER BY 1

--# names with blanks, capitals and keywords
SELECT o."Item Id", o."select", "from", "Price" AS "Price in €" FROM "Order Items" AS o ORDER BY 1

--# a quoted table without an alias
SELECT "Order Items"."Price", "Order Items".* FROM "Order Items" ORDER BY 1

--# upper case
SELECT U.NAME FROM USERS U ORDER BY U.USER_ID

--# a name with an escape
SELECT U&"n\0061me" FROM users ORDER BY 1

--# TABLE
TABLE categories ORDER BY category

--# TABLE with its schema
TABLE archive.categories_old

--# VALUES
VALUES (1, 'a'), (2, 'b') ORDER BY 1 DESC

--# VALUES in FROM
SELECT v.label, v.n FROM (VALUES ('a', 1), ('b', 2)) AS v (label, n) ORDER BY n

--# a schema-qualified table and columns
SELECT public.users.name, public.users.gender FROM public.users WHERE public.users.user_id < 10 ORDER BY public.users.user_id

--# all columns of a schema-qualified table
SELECT public.categories.* FROM public.categories ORDER BY 1

--# a schema-qualified column in a sub-select
SELECT name FROM public.users WHERE EXISTS (SELECT 1 FROM events e WHERE e.user_id = public.users.user_id) ORDER BY 1

--# a table that stands in two schemas, qualified
SELECT s.city FROM archive.stores AS s ORDER BY s.city

--# a view
SELECT app, count(*) FROM android_events GROUP BY app ORDER BY app

--# a partitioned table
SELECT region, count(*), min(day), max(day) FROM measures GROUP BY region ORDER BY region

--# ONLY
SELECT count(*) FROM ONLY users

--# ONLY with a star and an alias
SELECT u.user_id FROM ONLY (users) AS u ORDER BY 1

--# a table with its descendants
SELECT count(*) FROM users *

--# column aliases
SELECT a, b FROM categories AS c (a, b) ORDER BY a

--# a whole row
SELECT c::text, c.category, c IS NOT NULL FROM categories c ORDER BY 2

--# a whole row as JSON
SELECT row_to_json(c) FROM categories c ORDER BY c.category

--# a field of a whole row
SELECT (c).title FROM categories c ORDER BY 1

--# all fields of a whole row
SELECT (c).* FROM categories c ORDER BY 1

--# count of whole rows
SELECT count(u), count(u.*) FROM users u

--# LIMIT and OFFSET
SELECT name FROM users ORDER BY user_id LIMIT 3 OFFSET 2

--# LIMIT ALL
SELECT name FROM users ORDER BY user_id LIMIT ALL

--# LIMIT NULL
SELECT name FROM users ORDER BY user_id LIMIT NULL

--# LIMIT with an expression
SELECT name FROM users ORDER BY user_id LIMIT 1 + 2

--# LIMIT with a sub-select
SELECT name FROM users ORDER BY user_id LIMIT (SELECT 3)

--# LIMIT 0
SELECT name FROM users LIMIT 0

--# FETCH FIRST
SELECT name FROM users ORDER BY user_id FETCH FIRST 3 ROWS ONLY

--# FETCH FIRST ROW
SELECT name FROM users ORDER BY user_id OFFSET 1 ROW FETCH NEXT ROW ONLY

--# FETCH FIRST WITH TIES
SELECT state FROM users ORDER BY state FETCH FIRST 3 ROWS WITH TIES

--# DISTINCT
SELECT DISTINCT app, platform FROM events ORDER BY 1, 2

--# DISTINCT ON
SELECT DISTINCT ON (state) state, user_id, name FROM users ORDER BY state, user_id DESC

--# ORDER BY with NULLS LAST and USING
SELECT age_group, user_id FROM users ORDER BY age_group DESC NULLS LAST, user_id USING >

--# a boolean's own test
SELECT count(*) FILTER (WHERE "delete" IS TRUE) AS yes, count(*) FILTER (WHERE "delete" IS NOT TRUE) AS no FROM users

--# a collation
SELECT name FROM users ORDER BY name COLLATE "C" DESC

--# current values of the server
SELECT version() IS NOT NULL, current_database() IS NOT NULL, current_setting('timezone') IS NOT NULL, CURRENT_DATE = now()::date

--# the type of a value
SELECT pg_typeof(weight)::text, pg_typeof(1)::text FROM users LIMIT 1
