--# dates
SELECT event_date + 7, event_date - DATE '2026-01-01', extract(dow FROM event_date), date_part('week', event_date), to_char(event_date, 'YYYY-"W"IW'), event_date BETWEEN '2026-01-05' AND '2026-01-09' FROM events ORDER BY event_id

--# date_bin and date_trunc with a zone
SELECT date_bin('15 minutes', started_at, TIMESTAMPTZ '2026-01-01 00:00+00'), date_trunc('day', started_at, 'Asia/Kolkata'), count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2

--# AT TIME ZONE
SELECT started_at AT TIME ZONE 'Asia/Kolkata', (started_at AT TIME ZONE 'UTC')::date, EXTRACT(HOUR FROM started_at AT TIME ZONE 'Asia/Kolkata') FROM events ORDER BY event_id

--# OVERLAPS
SELECT user_id FROM users WHERE (lower(active_during), upper(active_during)) OVERLAPS (DATE '2025-02-01', INTERVAL '10 days') ORDER BY 1

--# intervals
SELECT INTERVAL '1 day 2 hours', make_interval(days => 3, hours => 4), age(TIMESTAMP '2026-01-01', TIMESTAMP '2025-06-15'), justify_days(INTERVAL '40 days'), INTERVAL '3' MONTH, date '2026-01-31' + interval '1 month'

--# current times
SELECT now() >= CURRENT_TIMESTAMP, CURRENT_DATE <= CURRENT_DATE + 1, LOCALTIME IS NOT NULL, clock_timestamp() >= statement_timestamp()

--# generate_series of dates
SELECT d::date, count(e.event_id) FROM generate_series(DATE '2026-01-01', DATE '2026-01-10', INTERVAL '1 day') AS d LEFT JOIN events e ON e.event_date = d::date GROUP BY d ORDER BY d

--# generate_series with a column name
SELECT g.n, g.n * 2 FROM generate_series(1, 5) AS g (n) ORDER BY 1

--# a function's own column name
SELECT generate_series FROM generate_series(1, 3) ORDER BY 1

--# ROWS FROM and WITH ORDINALITY
SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) WITH ORDINALITY AS t (a, b, n) ORDER BY n

--# ranges
SELECT user_id FROM users WHERE active_during @> DATE '2025-03-01' AND active_during && daterange('2025-01-01', '2025-06-01') AND NOT isempty(active_during) ORDER BY 1

--# multiranges
SELECT '{[1,3), [5,9)}'::int4multirange @> 6, numrange(1, 2) + numrange(2, 3), lower(tsrange('2026-01-01', '2026-02-01'))

--# arrays
SELECT tags[1], tags[1:2], array_length(tags, 1), cardinality(tags), tags || 'x'::text, 't1' = ANY (tags), tags @> ARRAY['t1'], array_position(tags, 'u1'), array_to_string(tags, '|') FROM users ORDER BY user_id

--# unnest of a column
SELECT tag, count(*) FROM users, unnest(tags) AS tag GROUP BY tag ORDER BY tag

--# unnest with ordinality
SELECT u.user_id, t.tag, t.n FROM users u CROSS JOIN LATERAL unnest(u.tags) WITH ORDINALITY AS t (tag, n) ORDER BY 1, 3

--# arrays of arrays
SELECT (ARRAY[[1, 2], [3, 4]])[2][1], array_dims(ARRAY[[1, 2], [3, 4]]), '{1,2,3}'::int[], array_remove(ARRAY[1, 2, 1], 1), ARRAY(SELECT user_id FROM users ORDER BY 1 LIMIT 3)

--# JSON operators
SELECT profile -> 'list' -> 0, profile ->> 'city', profile #>> '{list,1}', profile @> '{"score": 3}', profile ? 'city', raw_profile ->> 'city' FROM users ORDER BY user_id

--# JSON subscripts and paths
SELECT profile['list'][0], jsonb_path_query_first(profile, '$.list[*] ? (@ > 3)'), profile @? '$.score', profile @@ '$.score > 4', jsonb_array_length(profile -> 'list') FROM users ORDER BY user_id

--# jsonb_each and its columns
SELECT u.user_id, e.key, e.value FROM users u, jsonb_each(u.profile) AS e ORDER BY 1, 2

--# a field of a composite result
SELECT user_id, (jsonb_each_text(profile)).key FROM users ORDER BY 1, 2

--# json_to_recordset with a column definition
SELECT x.a, x.b FROM json_to_recordset('[{"a": 1, "b": "two"}]') AS x (a int, b text)

--# JSON_TABLE
SELECT u.user_id, j.n, j.item FROM users u, JSON_TABLE(u.profile, '$.list[*]' COLUMNS (n FOR ORDINALITY, item int PATH '$')) AS j ORDER BY 1, 2

--# JSON_TABLE with nested columns
SELECT jt.* FROM JSON_TABLE('{"a": [{"b": 1, "c": [2, 3]}]}'::jsonb, '$.a[*]' COLUMNS (b int PATH '$.b', NESTED PATH '$.c[*]' COLUMNS (c int PATH '$'))) AS jt ORDER BY c

--# JSON_VALUE, JSON_QUERY and JSON_EXISTS
SELECT JSON_VALUE(profile, '$.score' RETURNING int DEFAULT 0 ON EMPTY), JSON_QUERY(profile, '$.list' WITH WRAPPER), JSON_EXISTS(profile, '$.city') FROM users ORDER BY user_id

--# JSON constructors and IS JSON
SELECT JSON_OBJECT('a': 1, 'b': NULL ABSENT ON NULL), JSON_ARRAY(1, 2, NULL NULL ON NULL), jsonb_build_object('k', 1), to_jsonb(ROW(1, 'x')), '{"a":1}' IS JSON OBJECT, JSON_SCALAR(1), JSON_SERIALIZE('{}' RETURNING text)

--# regular expressions
SELECT name FROM users WHERE name ~* '^person [1-3]+$' AND name !~ '2' AND regexp_like(name, '\d') AND name SIMILAR TO 'P%[0-9]' ORDER BY 1

--# regexp functions
SELECT regexp_replace(name, '(\w+) (\d+)', '\2-\1', 'g'), substring(name FROM '\d+'), (regexp_match(name, '(\d+)'))[1], regexp_count(name, 'e'), regexp_substr(name, '\d') FROM users ORDER BY user_id

--# regexp_matches in FROM
SELECT u.user_id, m[1] FROM users u, regexp_matches(u.name, '(\d)', 'g') AS m ORDER BY 1, 2

--# LIKE with ESCAPE and ILIKE
SELECT count(*) FROM users WHERE name LIKE 'Person 1%' OR name ILIKE '%!_%' ESCAPE '!' OR name NOT LIKE 'P%'

--# text functions
SELECT upper(name), left(name, 3), lpad(user_id::text, 5, '0'), split_part(name, ' ', 2), trim(both 'P' FROM name), position('s' IN name), overlay(name PLACING 'X' FROM 1 FOR 2), substring(name FROM 2 FOR 3), name || '!', concat_ws('-', name, state), format('%s (%s)', name, state), md5(name), initcap('abc'), strpos(name, 'r'), reverse(name), translate(name, 'P', 'p'), starts_with(name, 'Per'), length(name), normalize(name, NFC), name IS NORMALIZED FROM users ORDER BY user_id

--# string_to_table and string_agg
SELECT w, count(*) FROM documents, string_to_table(body, ' ') AS w GROUP BY w ORDER BY w

--# numbers
SELECT round(1.2345, 2), ceil(1.1), floor(-1.1), trunc(9.99, 1), mod(7, 3), 7 % 3, 2 ^ 10, |/ 16, @ -5, abs(-1), power(2, 3), sqrt(2), ln(10), log(100), exp(1), sign(-3), greatest(1, 2, NULL), least(3, 1), 5 / 2.0, 7 & 3, 1 << 4, to_hex(255), gcd(12, 18), 1e3, 0x1F, 1_000

--# casts
SELECT '1'::int, CAST('2.5' AS numeric(5, 1)), '2026-01-01'::date, 1::text, 'true'::bool, '3'::float8, int '4', '1 day'::interval, 'a'::varchar(3), 5::"char", now()::timestamp(0) IS NOT NULL, B'101'::bit(3), '\xDEAD'::bytea, 'x'::name

--# an enum as it is
SELECT feeling, count(*) FROM users WHERE feeling >= 'fine' GROUP BY feeling ORDER BY feeling

--# an enum as text
SELECT feeling::text, count(*) FROM users WHERE feeling::text IN ('sad', 'happy') GROUP BY 1 ORDER BY 1

--# text search
SELECT title, ts_rank(search, q), ts_headline('english', body, q) FROM documents, to_tsquery('english', 'quick & fox') AS q WHERE search @@ q ORDER BY document_id

--# websearch_to_tsquery and to_tsvector
SELECT count(*) FROM documents WHERE to_tsvector('english', body) @@ websearch_to_tsquery('english', '"brown fox" -cat')

--# a built-in with its schema
SELECT pg_catalog.count(*), pg_catalog.upper('x'), 1 OPERATOR(pg_catalog.+) 2, 3::pg_catalog.int8 FROM users

--# rows
SELECT ROW(1, 'a') = ROW(1, 'a'), (1, 2) < (1, 3), (ROW(1, 2)).f1, ROW(user_id, name) FROM users ORDER BY user_id

--# IS DISTINCT FROM and null tests
SELECT count(*) FROM events WHERE duration_min IS DISTINCT FROM 5 AND duration_min NOTNULL AND (app, platform) IS NOT NULL

--# BETWEEN SYMMETRIC
SELECT 5 BETWEEN SYMMETRIC 9 AND 1, 5 NOT BETWEEN 1 AND 3

--# CASE
SELECT CASE WHEN weight > 40 THEN 'high' WHEN weight > 20 THEN 'middle' ELSE 'low' END AS band, count(*) FROM users GROUP BY band ORDER BY band

--# named and variadic arguments
SELECT make_date(year => 2026, month => 1, day => 2), concat_ws(',', VARIADIC ARRAY['a', 'b']), make_interval(hours := 2)

--# uuid, inet and geometry
SELECT '6f1e2d3c-0000-4000-8000-000000000000'::uuid, '10.0.0.1'::inet << '10.0.0.0/8'::cidr, host('10.0.0.1/24'::inet), point(1, 2) <-> point(4, 6), circle(point(0, 0), 1) @> point(0, 0.5)

--# hashes for samples
SELECT count(*) FROM users WHERE abs(hashtext(user_id::text)) % 10 < 10

--# random rows
--: unstable
SELECT name FROM users ORDER BY random() LIMIT 3

--# encodings
SELECT encode(sha256('x'::bytea), 'hex'), convert_from(decode('eA==', 'base64'), 'UTF8'), ascii('A'), chr(65), quote_literal('it''s'), quote_ident('a b')

--# a column that has a function's name
SELECT t.name, t.text, t.date, t.count FROM (SELECT 'a' AS name, 'b' AS text, CURRENT_DATE AS date, 3 AS count) t

--# a function called as a column
SELECT (c.category).length, (c).to_json FROM categories c ORDER BY c.category

--# a select list with 120 columns
SELECT 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,91,92,93,94,95,96,97,98,99,100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116,117,118,119,120
