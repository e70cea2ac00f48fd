"""The tests' own PostgreSQL: others build on its promises."""

import psycopg

from tests.support.postgres import Postgres


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
        left = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'test_%'").fetchone()
    lingering.close()
    assert left == (0,)
