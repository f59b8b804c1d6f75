--# pg_read_file in the output
SELECT pg_read_file('/etc/passwd')

--# pg_read_binary_file in a filter
SELECT name FROM users WHERE pg_read_binary_file('/etc/passwd') IS NOT NULL

--# pg_ls_dir in FROM
SELECT * FROM pg_ls_dir('.') AS f

--# pg_ls_waldir in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT pg_ls_waldir())

--# pg_ls_logdir in the output
SELECT pg_ls_logdir()

--# pg_ls_tmpdir in a filter
SELECT name FROM users WHERE pg_ls_tmpdir() IS NOT NULL

--# pg_stat_file in FROM
SELECT * FROM pg_stat_file('postgresql.conf') AS f

--# pg_current_logfile in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT pg_current_logfile())

--# pg_relation_filepath in the output
SELECT pg_relation_filepath('users')

--# lo_import in a filter
SELECT name FROM users WHERE lo_import('/etc/passwd') IS NOT NULL

--# lo_export in FROM
SELECT * FROM lo_export(1, '/tmp/x') AS f

--# lo_create in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT lo_create(0))

--# lo_creat in the output
SELECT lo_creat(-1)

--# lo_from_bytea in a filter
SELECT name FROM users WHERE lo_from_bytea(0, 'x') IS NOT NULL

--# lo_put in FROM
SELECT * FROM lo_put(1, 0, 'x') AS f

--# lo_get in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT lo_get(1))

--# lo_unlink in the output
SELECT lo_unlink(1)

--# lo_open in a filter
SELECT name FROM users WHERE lo_open(1, 393216) IS NOT NULL

--# loread in FROM
SELECT * FROM loread(0, 10) AS f

--# lowrite in a sub-select of ORDER BY
SELECT 1 ORDER BY (SELECT lowrite(0, 'x'))

--# pg_hba_file_rules in the output
SELECT pg_hba_file_rules()

--# pg_ident_file_mappings in a filter
SELECT name FROM users WHERE pg_ident_file_mappings() IS NOT NULL

--# pg_show_all_file_settings in FROM
SELECT * FROM pg_show_all_file_settings() AS f
