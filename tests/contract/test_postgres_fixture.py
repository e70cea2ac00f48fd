"""The tests' own PostgreSQL: others build on its promises."""

import psycopg

from tests.support.postgres import Postgres, delete_rows

_EVENT = (
    "INSERT INTO events (id, seq, drawn, tenant, type, at, session_id, data) VALUES "
    "('evt_1', NULL, nextval('event_draws'), 'default', 'x', 0, NULL, '{}')"
)


def test_every_database_is_empty_and_apart_from_the_others(postgres: Postgres) -> None:
    with postgres.database() as one, postgres.database() as other:
        with psycopg.connect(one) as connection:
            connection.execute("CREATE TABLE mine (id int)")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_a_database_is_dropped_even_while_somebody_is_connected(postgres: Postgres) -> None:
    with postgres.database() as url:
        lingering = psycopg.connect(url)
    with psycopg.connect(postgres.url("postgres")) as connection:
        name = url.partition("?")[0].rpartition("/")[2]
        left = connection.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)).fetchone()
    lingering.close()
    assert left == (0,)


def test_a_migrated_database_has_every_table_and_no_row_of_another(postgres: Postgres) -> None:
    with postgres.migrated_database() as one, postgres.migrated_database() as other:
        with psycopg.connect(one) as connection:
            connection.execute("INSERT INTO schema_version VALUES (9999, 1)")
        with psycopg.connect(other) as connection:
            versions = [version for (version,) in connection.execute("SELECT version FROM schema_version ORDER BY 1")]
    assert versions == list(range(1, len(versions) + 1))
    assert versions


def test_deleting_the_rows_leaves_what_the_migrations_left(postgres: Postgres) -> None:
    with postgres.migrated_database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT nextval('event_draws')")
            connection.execute(_EVENT)
        delete_rows(url)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
            assert connection.execute("SELECT nextval('event_draws')").fetchone() == (1,)
            assert connection.execute("SELECT count(*) > 0 FROM schema_version").fetchone() == (True,)
