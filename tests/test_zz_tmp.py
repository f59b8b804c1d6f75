import psycopg, os


def test_a(make_database, readonly_dsn, redis_server):
    u = make_database("create table t(a int); insert into t values (1)")
    r = readonly_dsn(u)
    assert psycopg.connect(r).execute("select * from t").fetchall() == [(1,)]
    redis_server.restart()
    print(open(f"{os.environ['DATA_DIR']}/postgres.log").read())
