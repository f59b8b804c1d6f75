--# query_to_xml in the output
--: does shows
SELECT query_to_xml('SELECT * FROM salaries', true, false, '')

--# query_to_xmlschema in a filter
--: does fails
SELECT name FROM users WHERE query_to_xmlschema('SELECT 1', true, false, '') IS NOT NULL

--# query_to_xml_and_xmlschema in FROM
--: does fails
SELECT * FROM query_to_xml_and_xmlschema('SELECT 1', true, false, '') AS f

--# table_to_xml in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT table_to_xml('salaries', true, false, ''))

--# table_to_xml_and_xmlschema in the output
--: does shows
SELECT table_to_xml_and_xmlschema('salaries', true, false, '')

--# schema_to_xml in a filter
--: does fails
SELECT name FROM users WHERE schema_to_xml('public', true, false, '') IS NOT NULL

--# database_to_xml in FROM
--: does fails
SELECT * FROM database_to_xml(true, false, '') AS f

--# database_to_xmlschema in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT database_to_xmlschema(true, false, ''))

--# cursor_to_xml in the output
--: does fails
SELECT cursor_to_xml('c', 1, true, false, '')

--# ts_stat in a filter
--: does fails
SELECT name FROM users WHERE ts_stat('SELECT search FROM documents') IS NOT NULL

--# ts_rewrite in FROM
--: does nothing
--: because its query holds constants only
SELECT * FROM ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery') AS f

--# dblink in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT dblink('dbname=postgres', 'SELECT 1'))

--# dblink_connect in the output
--: does fails
SELECT dblink_connect('dbname=postgres')

--# dblink_exec in a filter
--: does fails
SELECT name FROM users WHERE dblink_exec('dbname=postgres', 'DROP TABLE x') IS NOT NULL

--# crosstab in FROM
--: does fails
SELECT * FROM crosstab('SELECT 1, 2, 3') AS f

--# connectby in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT connectby('a', 'b', 'c', 'd', 1))

--# ts_debug in the output
--: does nothing
--: because it reads how text search is configured, which is the same in both worlds
SELECT ts_debug('english', 'x')

--# ts_token_type in a filter
--: does fails
SELECT name FROM users WHERE ts_token_type('default') IS NOT NULL

--# ts_rewrite that reads a table
--: does shows
SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, person::tsquery FROM salaries')

--# ts_stat that reads a table
--: does shows
SELECT * FROM ts_stat('SELECT to_tsvector(person) FROM salaries')
