--# pg_sleep in the output
--: does waits
SELECT pg_sleep(10)

--# pg_sleep_for in a filter
--: does waits
SELECT name FROM users WHERE pg_sleep_for('5 minutes') IS NOT NULL

--# pg_sleep_until in FROM
--: does waits
SELECT * FROM pg_sleep_until('tomorrow') AS f

--# pg_terminate_backend in a sub-select of ORDER BY
--: does nothing
--: because process 1 is not PostgreSQL's
SELECT 1 ORDER BY (SELECT pg_terminate_backend(1))

--# pg_cancel_backend in the output
--: does nothing
--: because process 1 is not PostgreSQL's
SELECT pg_cancel_backend(1)

--# pg_reload_conf in a filter
--: does nothing
--: because no configuration file has changed
SELECT name FROM users WHERE pg_reload_conf() IS NOT NULL

--# pg_rotate_logfile in FROM
--: does nothing
--: because this server keeps no log of its own
SELECT * FROM pg_rotate_logfile() AS f

--# pg_promote in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT pg_promote())

--# pg_switch_wal in the output
--: does changes
SELECT pg_switch_wal()

--# pg_create_restore_point in a filter
--: does changes
SELECT name FROM users WHERE pg_create_restore_point('x') IS NOT NULL

--# pg_backup_start in FROM
--: does waits
SELECT * FROM pg_backup_start('x') AS f

--# pg_log_backend_memory_contexts in a sub-select of ORDER BY
--: does nothing
--: because process 1 is not PostgreSQL's
SELECT 1 ORDER BY (SELECT pg_log_backend_memory_contexts(1))

--# pg_advisory_lock in the output
--: does changes
SELECT pg_advisory_lock(1)

--# pg_advisory_xact_lock in a filter
--: does changes
SELECT name FROM users WHERE pg_advisory_xact_lock(1) IS NOT NULL

--# pg_try_advisory_lock in FROM
--: does changes
SELECT * FROM pg_try_advisory_lock(1) AS f

--# pg_advisory_lock_shared in a sub-select of ORDER BY
--: does changes
SELECT 1 ORDER BY (SELECT pg_advisory_lock_shared(1, 2))

--# pg_advisory_unlock_all in the output
--: does changes
SELECT pg_advisory_unlock_all()

--# set_config in a filter
--: does changes
SELECT name FROM users WHERE set_config('statement_timeout', '0', false) IS NOT NULL

--# setseed in FROM
--: does nothing
--: because it only makes later random numbers of the session predictable
SELECT * FROM setseed(0.5) AS f

--# pg_notify in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT pg_notify('channel', 'x'))

--# pg_export_snapshot in the output
--: does nothing
--: because the exported snapshot is gone with the transaction; its name is of no use then
SELECT pg_export_snapshot()

--# pg_backend_pid in a filter
--: does shows
SELECT name FROM users WHERE pg_backend_pid() IS NOT NULL

--# pg_blocking_pids in FROM
--: does nothing
--: because process 1 is not PostgreSQL's
SELECT * FROM pg_blocking_pids(1) AS f

--# inet_server_addr in a sub-select of ORDER BY
--: does nothing
--: because both worlds have the same address
SELECT 1 ORDER BY (SELECT inet_server_addr())

--# inet_server_port in the output
--: does shows
SELECT inet_server_port()

--# inet_client_addr in a filter
--: does nothing
--: because both worlds have the same client
SELECT name FROM users WHERE inet_client_addr() IS NOT NULL

--# pg_postmaster_start_time in FROM
--: does shows
SELECT * FROM pg_postmaster_start_time() AS f

--# pg_conf_load_time in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT pg_conf_load_time())

--# pg_is_in_recovery in the output
--: does nothing
--: because neither world is a standby
SELECT pg_is_in_recovery()

--# pg_listening_channels in a filter
--: does fails
SELECT name FROM users WHERE pg_listening_channels() IS NOT NULL

--# pg_current_wal_lsn in FROM
--: does shows
SELECT * FROM pg_current_wal_lsn() AS f

--# txid_current in a sub-select of ORDER BY
--: does changes
SELECT 1 ORDER BY (SELECT txid_current())

--# pg_current_xact_id in the output
--: does changes
SELECT pg_current_xact_id()

--# pg_create_logical_replication_slot in a filter
--: does fails
SELECT name FROM users WHERE pg_create_logical_replication_slot('x', 'test_decoding') IS NOT NULL

--# pg_create_physical_replication_slot in FROM
--: does changes
SELECT * FROM pg_create_physical_replication_slot('x') AS f

--# pg_drop_replication_slot in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT pg_drop_replication_slot('x'))

--# pg_logical_slot_get_changes in the output
--: does fails
SELECT pg_logical_slot_get_changes('x', NULL, NULL)

--# pg_logical_emit_message in a filter
--: does changes
SELECT name FROM users WHERE pg_logical_emit_message(false, 'a', 'b') IS NOT NULL

--# pg_replication_origin_create in FROM
--: does changes
SELECT * FROM pg_replication_origin_create('x') AS f

--# pg_stat_reset in a sub-select of ORDER BY
--: does changes
SELECT 1 ORDER BY (SELECT pg_stat_reset())

--# pg_stat_reset_shared in the output
--: does changes
SELECT pg_stat_reset_shared('wal')

--# pg_stat_get_activity in a filter
--: does shows
SELECT name FROM users WHERE pg_stat_get_activity(NULL) IS NOT NULL

--# pg_stat_clear_snapshot in FROM
--: does nothing
--: because it forgets what the session's own transaction has read
SELECT * FROM pg_stat_clear_snapshot() AS f

--# gin_clean_pending_list in a sub-select of ORDER BY
--: does fails
SELECT 1 ORDER BY (SELECT gin_clean_pending_list('i'))

--# brin_summarize_new_values in the output
--: does fails
SELECT brin_summarize_new_values('i')

--# binary_upgrade_set_next_pg_type_oid in a filter
--: does fails
SELECT name FROM users WHERE binary_upgrade_set_next_pg_type_oid(1) IS NOT NULL

--# nextval in FROM
--: does changes
SELECT * FROM nextval('counter') AS f

--# setval in a sub-select of ORDER BY
--: does changes
SELECT 1 ORDER BY (SELECT setval('counter', 1))

--# currval in the output
--: does shows
SELECT currval('counter')

--# lastval in a filter
--: does fails
SELECT name FROM users WHERE lastval() IS NOT NULL

--# current_setting in FROM
--: does shows
SELECT * FROM current_setting('data_directory') AS f

--# current_setting in a sub-select of ORDER BY
--: does nothing
--: because this setting is the same in both worlds; others are not
SELECT 1 ORDER BY (SELECT current_setting('is_superuser'))

--# current_setting in the output
--: does shows
SELECT current_setting('hba_file', true)

--# current_setting in a filter
--: does nothing
--: because this setting is the same in both worlds; others are not
SELECT name FROM users WHERE current_setting('search' || '_path') IS NOT NULL

--# current_setting in FROM
--: does fails
SELECT * FROM current_setting(setting_name => 'timezone') AS f

--# current_setting in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT current_setting((SELECT 'data_directory')))

--# pg_show_all_settings in the output
--: does shows
SELECT pg_show_all_settings()

--# pg_settings_get_flags in a filter
--: does nothing
--: because there is no setting x
SELECT name FROM users WHERE pg_settings_get_flags('x') IS NOT NULL

--# pg_config in FROM
--: does nothing
--: because both worlds run the same installation, whose directories it lists
SELECT * FROM pg_config() AS f

--# pg_control_system in a sub-select of ORDER BY
--: does shows
SELECT 1 ORDER BY (SELECT pg_control_system())

--# pg_get_shmem_allocations in the output
--: does shows
SELECT pg_get_shmem_allocations()

--# pg_get_backend_memory_contexts in a filter
--: does shows
SELECT name FROM users WHERE pg_get_backend_memory_contexts() IS NOT NULL

--# pg_terminate_backend of its own session
--: does changes
SELECT pg_terminate_backend(pg_backend_pid())
