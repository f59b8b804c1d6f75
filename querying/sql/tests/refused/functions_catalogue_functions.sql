--# pg_get_viewdef in the output
--: does shows
SELECT pg_get_viewdef('android_events')

--# pg_get_functiondef in a filter
--: does nothing
--: because nothing has the id 1
SELECT name FROM users WHERE pg_get_functiondef(1) IS NOT NULL

--# pg_get_constraintdef in FROM
--: does nothing
--: because nothing has the id 1
SELECT * FROM pg_get_constraintdef(1) AS f

--# pg_get_indexdef in a sub-select of ORDER BY
--: does nothing
--: because nothing has the id 1
SELECT 1 ORDER BY (SELECT pg_get_indexdef(1))

--# pg_get_userbyid in the output
--: does shows
SELECT pg_get_userbyid(10)

--# pg_get_expr in a filter
--: does fails
SELECT name FROM users WHERE pg_get_expr('x', 1) IS NOT NULL

--# pg_get_serial_sequence in FROM
--: does nothing
--: because the column has no sequence
SELECT * FROM pg_get_serial_sequence('users', 'user_id') AS f

--# pg_get_ruledef in a sub-select of ORDER BY
--: does nothing
--: because nothing has the id 1
SELECT 1 ORDER BY (SELECT pg_get_ruledef(1))

--# pg_get_triggerdef in the output
--: does nothing
--: because nothing has the id 1
SELECT pg_get_triggerdef(1)

--# pg_table_size in a filter
--: does shows
SELECT name FROM users WHERE pg_table_size('users') IS NOT NULL

--# pg_relation_size in FROM
--: does shows
SELECT * FROM pg_relation_size('salaries') AS f

--# pg_total_relation_size in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT pg_total_relation_size('salaries'))

--# pg_database_size in the output
--: does shows
SELECT pg_database_size('postgres')

--# pg_tablespace_location in a filter
--: does nothing
--: because the built-in tablespace has no place of its own
SELECT name FROM users WHERE pg_tablespace_location(1663) IS NOT NULL

--# has_table_privilege in FROM
--: does shows
SELECT * FROM has_table_privilege('salaries', 'SELECT') AS f

--# has_database_privilege in a sub-select of ORDER BY
--: does nothing
--: because a superuser may do everything in both worlds
SELECT 1 ORDER BY (SELECT has_database_privilege('postgres', 'CREATE'))

--# pg_has_role in the output
--: does shows
SELECT pg_has_role('postgres', 'MEMBER')

--# pg_table_is_visible in a filter
--: does nothing
--: because pg_class is visible in both worlds
SELECT name FROM users WHERE pg_table_is_visible(1259) IS NOT NULL

--# obj_description in FROM
--: does nothing
--: because this one has no comment
SELECT * FROM obj_description(1259) AS f

--# col_description in a sub-select of ORDER BY
--: does nothing
--: because this one has no comment
SELECT 1 ORDER BY (SELECT col_description(1259, 1))

--# shobj_description in the output
--: does nothing
--: because the comment is PostgreSQL's own, the same everywhere
SELECT shobj_description(1, 'pg_database')

--# format_type in a filter
--: does nothing
--: because integer is called integer everywhere; other ids name the owner's types
SELECT name FROM users WHERE format_type(23, NULL) IS NOT NULL

--# to_regclass in FROM
--: does shows
SELECT * FROM to_regclass('salaries') AS f

--# to_regtype in a sub-select of ORDER BY
--: does nothing
--: because the type is one of a visible column
SELECT 1 ORDER BY (SELECT to_regtype('mood'))

--# to_regrole in the output
--: does shows
SELECT to_regrole('postgres')

--# regclass in a filter
--: does shows
SELECT name FROM users WHERE regclass('salaries') IS NOT NULL

--# pg_describe_object in FROM
--: does nothing
--: because nothing has the id 1
SELECT * FROM pg_describe_object(1259, 1, 0) AS f

--# pg_identify_object in a sub-select of ORDER BY
--: does nothing
--: because nothing has the id 1
SELECT 1 ORDER BY (SELECT pg_identify_object(1259, 1, 0))

--# pg_partition_tree in the output
--: does shows
SELECT pg_partition_tree('measures')

--# pg_sequence_last_value in a filter
--: does shows
SELECT name FROM users WHERE pg_sequence_last_value('counter') IS NOT NULL

--# pg_column_is_updatable in FROM
--: does nothing
--: because it asks about a visible column
SELECT * FROM pg_column_is_updatable('users', 1::smallint, false) AS f

--# pg_input_is_valid in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT pg_input_is_valid('salaries', 'regclass'))

--# pg_input_error_info in the output
--: does shows
SELECT pg_input_error_info('salaries', 'regclass')

--# aclexplode in a filter
--: does fails
SELECT name FROM users WHERE aclexplode(NULL) IS NOT NULL

--# current_schemas in FROM
--: does nothing
--: because the search path is the same in both worlds
SELECT * FROM current_schemas(true) AS f

--# current_query in a sub-select of ORDER BY
--: does nothing
--: because the query is the caller's own; sent by the server, it holds what was put in for governing
SELECT 1 ORDER BY (SELECT current_query())

--# row_security_active in a filter
--: does nothing
--: because no table here has row security
SELECT name FROM users WHERE row_security_active('users') IS NOT NULL
