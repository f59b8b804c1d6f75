--# pg_read_file in the output
--: does shows
SELECT pg_read_file('/etc/passwd')

--# pg_read_binary_file in a filter
--: does shows
SELECT name FROM users WHERE pg_read_binary_file('/etc/passwd') IS NOT NULL

--# pg_ls_dir in FROM
--: does shows
SELECT * FROM pg_ls_dir('.') AS f

--# pg_ls_waldir in a sub-select
--: does shows
SELECT (SELECT string_agg(f::text, ',') FROM pg_ls_waldir() AS f)

--# pg_ls_logdir in the output
--: does fails
SELECT pg_ls_logdir()

--# pg_ls_tmpdir in a filter
--: does fails
SELECT name FROM users WHERE pg_ls_tmpdir() IS NOT NULL

--# pg_stat_file in FROM
--: does shows
SELECT * FROM pg_stat_file('postgresql.conf') AS f

--# pg_current_logfile in a sub-select of ORDER BY
--: does nothing
--: because this server keeps no log of its own
SELECT 1 ORDER BY (SELECT pg_current_logfile())

--# pg_relation_filepath in the output
--: does shows
SELECT pg_relation_filepath('users')

--# lo_import in a filter
--: does changes
SELECT name FROM users WHERE lo_import('/etc/passwd') IS NOT NULL

--# lo_export in FROM
--: does changes
SELECT * FROM lo_export(1, '/tmp/x') AS f

--# lo_create in a sub-select of ORDER BY
--: does changes
SELECT 1 ORDER BY (SELECT lo_create(0))

--# lo_creat in the output
--: does changes
SELECT lo_creat(-1)

--# lo_from_bytea in a filter
--: does changes
SELECT name FROM users WHERE lo_from_bytea(0, 'x') IS NOT NULL

--# lo_put in FROM
--: does changes
SELECT * FROM lo_put(1, 0, 'x') AS f

--# lo_get in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT lo_get(1))

--# lo_unlink in the output
--: does changes
SELECT lo_unlink(1)

--# lo_open in a filter
--: does nothing
--: because it gives a handle; loread and lowrite use it
SELECT name FROM users WHERE lo_open(1, 393216) IS NOT NULL

--# loread in FROM
--: does fails
SELECT * FROM loread(0, 10) AS f

--# lowrite in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT lowrite(0, 'x'))

--# pg_hba_file_rules in the output
--: does shows
SELECT pg_hba_file_rules()

--# pg_ident_file_mappings in a filter
--: does fails
SELECT name FROM users WHERE pg_ident_file_mappings() IS NOT NULL

--# pg_show_all_file_settings in FROM
--: does shows
SELECT * FROM pg_show_all_file_settings() AS f

--# loread of a large object that it opens
--: does shows
SELECT loread(lo_open(1, 262144), 100)

--# lowrite to a large object that it opens
--: does changes
SELECT lowrite(lo_open(1, 131072), 'x')
