--# citext compares without regard to case
SELECT count(*) FROM items WHERE name = 'apple'

--# citext in a list
SELECT item_id FROM items WHERE name IN ('APPLE', 'cherry') ORDER BY 1

--# citext and LIKE
SELECT item_id FROM items WHERE name LIKE 'ap%' ORDER BY 1

--# citext groups
SELECT lower(name::text) AS n, count(*) FROM items GROUP BY name, 1 ORDER BY 1

--# citext in CASE
SELECT item_id, CASE name WHEN 'apple' THEN 'yes' ELSE 'no' END FROM items ORDER BY 1

--# citext joined with USING
SELECT count(*) FROM items a JOIN items b USING (name)

--# citext joined with ON
SELECT count(*) FROM items a JOIN items b ON a.name = b.name

--# citext through a sub-select
SELECT count(*) FROM (SELECT name AS n FROM items) q WHERE n = 'aPPle'

--# citext computed
SELECT count(*) FROM items WHERE coalesce(name, 'x') = 'aPPle'

--# citext and IN with a sub-select
SELECT count(*) FROM items WHERE name IN (SELECT name FROM items WHERE item_id = 2)

--# citext and IS DISTINCT FROM
SELECT count(*) FROM items WHERE name IS DISTINCT FROM 'apple'

--# citext and NULLIF
SELECT nullif(name, 'apple') FROM items ORDER BY item_id

--# citext and BETWEEN
SELECT count(*) FROM items WHERE name BETWEEN 'a' AND 'b'

--# citext and regular expressions
SELECT count(*) FROM items WHERE name ~ '^APP'

--# the largest citext
SELECT max(name), min(name) FROM items

--# replace in citext
SELECT replace(name, 'APP', 'x') FROM items ORDER BY item_id

--# a literal as citext
SELECT 'ABC'::citext = 'abc'

--# citext qualified
SELECT 'ABC'::public.citext = 'abc'::public.citext

--# an operator of an extension by its schema
SELECT count(*) FROM items WHERE name OPERATOR(public.=) 'apple'

--# hstore
SELECT attributes -> 'colour', attributes ? 'size', akeys(attributes) FROM items ORDER BY item_id

--# hstore containment and concatenation
SELECT count(*) FROM items WHERE attributes @> 'colour=>red'::hstore OR (attributes || 'a=>b') ? 'b'

--# hstore rows
SELECT key, count(*) FROM items, each(attributes) GROUP BY key ORDER BY key

--# hstore from json
SELECT hstore('a', 'b') -> 'a'

--# ltree
SELECT path, nlevel(path), subpath(path, 1) FROM items WHERE path <@ 'Top.Fruit' AND path ~ '*.Apple.*'::lquery ORDER BY item_id

--# ltree's least common ancestor
SELECT lca(path, 'Top.Fruit.Pear') FROM items ORDER BY item_id

--# trigrams
SELECT plain, similarity(plain, 'cafe') FROM items WHERE plain % 'cafe' ORDER BY plain <-> 'cafe', 1

--# trigrams of literals
SELECT 'word' % 'words', 'word' <% 'two words'

--# modulo stays modulo
SELECT item_id % 2, count(*) FROM items GROUP BY 1 ORDER BY 1

--# word similarity
SELECT word_similarity('word', 'two words'), show_trgm('word')

--# unaccent in another schema
SELECT unaccent(plain) FROM items ORDER BY item_id

--# unaccent qualified
SELECT extensions.unaccent('Hôtel')

--# fuzzy strings
SELECT levenshtein('kitten', 'sitting'), metaphone('Thompson', 6), dmetaphone('x')

--# arrays of integers
SELECT item_id FROM items WHERE numbers @> ARRAY[2] AND numbers && '{3}' ORDER BY 1

--# intarray's functions
SELECT sort(numbers), uniq(sort(numbers)), icount(numbers), idx(numbers, 2) FROM items ORDER BY item_id

--# vectors
SELECT item_id, embedding <-> '[1,2,3]' AS distance, cosine_distance(embedding, '[1,0,0]') FROM items ORDER BY embedding <=> '[1,1,1]', 1

--# the mean vector
SELECT avg(embedding) FROM items

--# the mean of numbers beside it
SELECT avg(item_id), sum(item_id) FROM items

--# a vector by array
SELECT vector_dims(embedding), ARRAY[1, 2, 3]::vector FROM items ORDER BY item_id

--# cubes and distances
SELECT cube(ARRAY[1, 2]) <-> cube(ARRAY[3, 4]), earth_distance(ll_to_earth(18.5, 73.9), ll_to_earth(19.1, 72.9)) > 0

--# a domain's values
SELECT age, age + 1, avg(age) OVER () FROM items WHERE age BETWEEN 30 AND 45 ORDER BY 1

--# a cast to a harmless domain
SELECT 5::plain_age, count(*) FROM items GROUP BY 1

--# a column whose domain has a check that leaks is shown as its base type
SELECT item_id, note, upper(note) FROM items ORDER BY 1

--# a row with such a column cannot bring the check along
SELECT jsonb_populate_record(i, '{"note": "new"}') FROM (SELECT item_id, note FROM items) i ORDER BY 1

--# enums
SELECT level, count(*) FROM items WHERE level > 'low' AND level = 'high'::grade GROUP BY level

--# an enum by its schema, and a range of it
SELECT 'low'::public.grade, enum_range(NULL::grade)

--# an enum with a cast to a number is fine as itself
SELECT tone, tone::text FROM items WHERE tone = 'dark'

--# a composite's fields
SELECT (home).city, count(*) FROM items GROUP BY 1 ORDER BY 1

--# a whole composite
SELECT home FROM items ORDER BY item_id

--# casts to a type that another cast leads to
SELECT '2026-01-01'::date, sold::date, now()::date = now()::date, plain::text FROM items ORDER BY item_id

--# casts of counts and literals to numbers
SELECT count(*)::int, '5'::integer, sum(item_id)::integer FROM items

--# an approved function and an approved aggregate
SELECT initials(plain), public.initials('x'), longest(plain) FROM items GROUP BY plain ORDER BY plain

--# an approved aggregate with a filter
SELECT longest(plain) FILTER (WHERE item_id > 1) FROM items

--# equality of numbers and text stays PostgreSQL's own
SELECT count(*) FROM items WHERE item_id = 1 AND plain = 'cafe' AND item_id IN (1, 2)

--# a view over harmless functions
SELECT * FROM fine_view ORDER BY item_id

--# addition stays addition
SELECT item_id + 1, sold + 1, sold - interval '1 day' FROM items ORDER BY item_id

--# lower and upper of text
SELECT lower(plain), upper(name::text) FROM items ORDER BY item_id

--# unnest of several arrays
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) AS t (one, two) ORDER BY 2

--# unnest of several arrays, numbered and bare
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a']) WITH ORDINALITY

--# the type of a value
SELECT pg_typeof(item_id), pg_typeof(sold) FROM items ORDER BY item_id

--# information_schema beside a table
SELECT column_name FROM information_schema.columns WHERE table_name = 'items' AND column_name NOT IN ('price') ORDER BY ordinal_position
--: unstable

--# a composite in a row
SELECT row_to_json(q) FROM (SELECT item_id, level FROM items) q ORDER BY q.item_id

--# citext under another name
SELECT count(*) FROM items i (id, nm) WHERE nm = 'apple'

--# an enum's column of the type's name
SELECT level AS grade, q.grade FROM (SELECT level AS grade FROM items) q, items ORDER BY 1, 2
