-- A small panel: persons, their events, monthly weights, and the odd shapes that real databases have.
CREATE TYPE mood AS ENUM ('sad', 'fine', 'happy');
CREATE TABLE users (
    user_id integer PRIMARY KEY,
    name text NOT NULL,
    email text UNIQUE,
    gender text,
    age_group text,
    nccs text,
    state text,
    weight numeric,
    feeling mood,
    tags text[],
    profile jsonb,
    raw_profile json,
    active_during daterange,
    signed_up timestamptz,
    updated_at timestamp,
    "delete" boolean,
    "Größe" integer,
    phone text
);
CREATE TABLE events (
    event_id bigint PRIMARY KEY,
    user_id integer REFERENCES users,
    event_date date,
    started_at timestamptz,
    app text,
    category text,
    platform text,
    duration_min numeric
);
CREATE TABLE weights_monthly (user_id integer REFERENCES users, month date, weight numeric, PRIMARY KEY (user_id, month));
CREATE TABLE categories (category text PRIMARY KEY, parent text REFERENCES categories, title text);
CREATE TABLE documents (document_id integer PRIMARY KEY, title text, body text, search tsvector, create_date date);
CREATE TABLE "Order Items" ("Item Id" integer PRIMARY KEY, "select" text, "Price" numeric, "from" date);
CREATE TABLE measures (day date, region text, value double precision) PARTITION BY RANGE (day);
CREATE TABLE measures_2026_01 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE measures_2026_02 PARTITION OF measures FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE VIEW android_events AS SELECT * FROM events WHERE platform = 'Android';
CREATE SCHEMA archive;
CREATE TABLE archive.old_events (event_id bigint PRIMARY KEY, user_id integer, app text, retired_on date);
CREATE TABLE stores (store_id integer PRIMARY KEY, city text);
CREATE TABLE archive.stores (store_id integer PRIMARY KEY, city text);
CREATE TABLE archive.categories_old (category text PRIMARY KEY, title text);

INSERT INTO users
SELECT i, 'Person ' || i, 'person' || i || '@example.org', CASE WHEN i % 2 = 0 THEN 'Male' ELSE 'Female' END,
       (ARRAY['15-24', '25-34', '35-44', NULL])[i % 4 + 1], (ARRAY['A', 'A1', 'B', 'C', 'D', 'E'])[i % 6 + 1],
       (ARRAY['Kerala', 'Delhi', 'Tamil Nadu'])[i % 3 + 1], (i % 7) * 10.5, (ARRAY['sad', 'fine', 'happy'])[i % 3 + 1]::mood,
       ARRAY['t' || i % 3, 'u' || i % 5], jsonb_build_object('city', 'City ' || i % 4, 'score', i % 9, 'list', jsonb_build_array(i, i + 1)),
       json_build_object('city', 'City ' || i % 4), daterange('2025-01-01'::date + i, '2026-01-01'::date + i),
       timestamptz '2025-01-01 10:00:00+00' + i * interval '7 hours', timestamp '2025-06-01 08:00' + i * interval '1 day',
       i % 5 = 0, 150 + i % 50, '+91' || (9000000000 + i)
FROM generate_series(1, 60) AS i;
INSERT INTO categories VALUES ('Media', NULL, 'All media'), ('Social', 'Media', 'Social networks'), ('Video', 'Media', 'Video'), ('Music', 'Media', 'Music');
INSERT INTO events
SELECT i, i % 60 + 1, '2026-01-01'::date + i % 59, timestamptz '2026-01-01 00:00:00+00' + i * interval '97 minutes',
       (ARRAY['Facebook', 'YouTube', 'Spotify', 'Instagram'])[i % 4 + 1], (ARRAY['Social', 'Video', 'Music', 'Social'])[i % 4 + 1],
       (ARRAY['Android', 'iOS', 'Web'])[i % 3 + 1], CASE WHEN i % 11 = 0 THEN NULL ELSE (i % 37) / 2.0 END
FROM generate_series(1, 500) AS i;
INSERT INTO weights_monthly SELECT user_id, month, weight + extract(month FROM month) FROM users, (VALUES (DATE '2026-01-01'), (DATE '2026-02-01')) AS m (month);
INSERT INTO documents SELECT i, 'Title ' || i, 'The quick brown fox number ' || i || ' jumps', to_tsvector('english', 'The quick brown fox number ' || i), '2026-01-01'::date + i FROM generate_series(1, 12) AS i;
INSERT INTO "Order Items" SELECT i, 'thing ' || i, i * 9.99, '2026-03-01'::date + i FROM generate_series(1, 8) AS i;
INSERT INTO measures SELECT '2026-01-01'::date + i % 59, (ARRAY['north', 'south'])[i % 2 + 1], sqrt(i) FROM generate_series(0, 117) AS i;
INSERT INTO archive.old_events SELECT i, i % 60 + 1, 'Orkut', '2020-01-01'::date + i FROM generate_series(1, 20) AS i;
INSERT INTO archive.stores VALUES (1, 'Pune'), (2, 'Kochi');
INSERT INTO archive.categories_old VALUES ('Social', 'Old social');

-- What a caller must not reach: a table that is not approved, and code that shadows or hides behind built-ins.
CREATE TABLE salaries (person text, amount numeric);
INSERT INTO salaries VALUES ('secret', 1);
CREATE FUNCTION lower(value integer) RETURNS text LANGUAGE sql AS $$ SELECT person FROM public.salaries $$;
CREATE FUNCTION spy(person public.users) RETURNS text LANGUAGE sql AS $$ SELECT person FROM public.salaries $$;
CREATE FUNCTION leak(value text) RETURNS text LANGUAGE sql AS $$ SELECT person FROM public.salaries $$;
CREATE FUNCTION leak_pair(one text, two text) RETURNS text LANGUAGE sql AS $$ SELECT person FROM public.salaries $$;
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = leak_pair);
CREATE OPERATOR + (LEFTARG = text, RIGHTARG = text, FUNCTION = leak_pair);
CREATE DOMAIN leaking AS text CHECK (leak(VALUE) IS NOT NULL);
CREATE AGGREGATE leak_all (text) (SFUNC = leak_pair, STYPE = text);
CREATE SEQUENCE counter;
CREATE PROCEDURE tidy() LANGUAGE sql AS $$ DELETE FROM public.events $$;
ANALYZE;
