-- What a database adds: extensions that may be used, and its owner's own code, which returns 'secret' when it runs.
CREATE SCHEMA extensions;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION cube;
CREATE EXTENSION earthdistance;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION intarray;
CREATE EXTENSION unaccent SCHEMA extensions;
CREATE EXTENSION vector;
CREATE EXTENSION dblink;
CREATE EXTENSION tablefunc;

CREATE TABLE vault (secret text);
INSERT INTO vault VALUES ('secret');
CREATE FUNCTION secret() RETURNS text LANGUAGE plpgsql STABLE
    AS $$ BEGIN RAISE NOTICE 'it ran'; RETURN (SELECT v.secret FROM public.vault AS v); END $$;

-- approved
CREATE FUNCTION initials(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.left(value, 1) $$;
CREATE FUNCTION longer(one text, two text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE WHEN pg_catalog.length(one) >= pg_catalog.length(two) THEN one ELSE two END $$;
CREATE AGGREGATE longest (text) (SFUNC = longer, STYPE = text, INITCOND = '');

-- not approved: functions, some under the names of PostgreSQL's own and of extensions'
CREATE FUNCTION leak(value text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION leak_pair(one text, two text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION lower(value integer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION upper(value bigint) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION soundex(value integer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION shout(value text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN public.secret(); END $$;
CREATE FUNCTION "Odd Name"(value text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION rows_of(value integer) RETURNS SETOF text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION defaulted(value text DEFAULT 'x') RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION pg_catalog.planted(value text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE FUNCTION pg_catalog.initcap(value integer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE AGGREGATE leak_all (text) (SFUNC = leak_pair, STYPE = text);
CREATE AGGREGATE sum (text) (SFUNC = leak_pair, STYPE = text);
CREATE FUNCTION window_leak(value text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;

-- operators
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = leak_pair);
CREATE OPERATOR + (LEFTARG = text, RIGHTARG = text, FUNCTION = leak_pair);
CREATE OPERATOR @@@ (RIGHTARG = text, FUNCTION = leak);
CREATE FUNCTION same_text(one integer, two text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT public.secret() IS NOT NULL $$;
CREATE OPERATOR = (LEFTARG = integer, RIGHTARG = text, FUNCTION = same_text);
CREATE OPERATOR pg_catalog.## (LEFTARG = text, RIGHTARG = text, FUNCTION = leak_pair);

-- types, domains, casts
CREATE DOMAIN plain_age AS integer CHECK (VALUE BETWEEN 0 AND 150);
CREATE DOMAIN leaking AS text CHECK (public.leak(VALUE) IS NOT NULL);
CREATE DOMAIN leaking_within AS leaking;
CREATE DOMAIN reading AS text CHECK (pg_catalog.pg_read_file('PG_VERSION') IS NOT NULL);
CREATE TYPE grade AS ENUM ('low', 'middle', 'high');
CREATE TYPE shade AS ENUM ('dark', 'light');
CREATE TYPE address AS (street text, city text);
CREATE TYPE stamped AS (day date, number integer);
CREATE TYPE money_pair AS (amount numeric, unit text);
CREATE FUNCTION shade_number(value shade) RETURNS integer LANGUAGE sql STABLE AS $$ SELECT pg_catalog.length(public.secret()) $$;
CREATE CAST (shade AS integer) WITH FUNCTION shade_number(shade);
CREATE FUNCTION pair_text(value money_pair) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.secret() $$;
CREATE CAST (money_pair AS text) WITH FUNCTION pair_text(money_pair) AS IMPLICIT;
CREATE FUNCTION address_json(value address) RETURNS json LANGUAGE sql STABLE AS $$ SELECT pg_catalog.to_json(public.secret()) $$;
CREATE FUNCTION number_date(value integer) RETURNS date LANGUAGE sql STABLE AS $$ SELECT CASE public.secret() WHEN 'secret' THEN date '1999-09-09' END $$;
CREATE CAST (integer AS date) WITH FUNCTION number_date(integer) AS ASSIGNMENT;
CREATE FUNCTION mac_number(value macaddr) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT pg_catalog.length(public.secret())::numeric $$;
CREATE CAST (macaddr AS numeric) WITH FUNCTION mac_number(macaddr) AS IMPLICIT;

CREATE TABLE items (
    item_id integer PRIMARY KEY,
    name citext NOT NULL,
    plain text,
    attributes hstore,
    path ltree,
    embedding vector(3),
    numbers integer[],
    age plain_age,
    note leaking,
    level grade,
    tone shade,
    home address,
    price money_pair,
    sold date
);
INSERT INTO items VALUES
    (1, 'Apple', 'Crème brûlée', 'colour=>red, size=>L', 'Top.Fruit.Apple', '[1,2,3]', '{1,2,3}', 30, 'n', 'low', 'dark', ('Main', 'Pune'), (1, 'INR'), '2026-01-05'),
    (2, 'APPLE', 'cafe', 'colour=>green', 'Top.Fruit.Apple.Green', '[2,2,3]', '{2,3}', 40, 'n', 'high', 'light', ('High', 'Kochi'), (2, 'INR'), '2026-02-05'),
    (3, 'Banana', 'Café', 'size=>S', 'Top.Fruit.Banana', '[0,0,1]', '{5}', 50, 'n', 'middle', NULL, NULL, NULL, NULL);
CREATE VIEW leaking_view AS SELECT item_id, public.leak(plain) AS leaked FROM items;
CREATE VIEW behind_view AS SELECT item_id, leaked FROM leaking_view;
CREATE VIEW file_view AS SELECT pg_catalog.pg_read_file('PG_VERSION') AS content;
CREATE VIEW role_view AS SELECT rolname FROM pg_catalog.pg_roles;
CREATE VIEW remote_view AS SELECT * FROM public.dblink('dbname=postgres', 'SELECT 1') AS t (one integer);
CREATE VIEW fine_view AS SELECT item_id, name, pg_catalog.upper(plain) AS plain, attributes -> 'size' AS size FROM items;
CREATE TYPE noted AS (note leaking);
CREATE VIEW filling_view AS SELECT (pg_catalog.jsonb_populate_record(NULL::noted, '{"note": "x"}')).note;
ANALYZE;
