"""`perpstore status` on a database with data: the same states that `/quality/sources` tells of the same pulls."""

import json
from typing import Any

import pytest

from app.db import Database
from app.services import log, quality
from app.services.queries import sql
from tests.conftest import run_python
from tests.db.facts import rows_read


@pytest.mark.one_server
async def test_sources_stand_as_their_last_pulls_went(clean_database: Database) -> None:
    for source, dataset, status, error in (
        ("okx", "funding", "succeeded", None),
        ("bybit", "funding", "failed", "HTTP 503"),
    ):
        await clean_database.reads.execute(
            """insert into pull (source, dataset, status, started_at, finished_at, requests, error)
            values ($1, $2, $3, now(), now(), 1, $4)""",
            source, dataset, status, error,
        )  # fmt: skip
    found = _status(clean_database, "--json")
    assert {"database", "counts", "tables", "forecast", "scheduler", "freshness", "collectors", "pulls"} <= found.keys()
    assert "dsn" in found["database"]
    sources = {row["source"]: row for row in found["sources"]}
    assert (sources["okx"]["state"], sources["okx"]["reason"]) == ("ok", None)
    assert (sources["bybit"]["state"], sources["bybit"]["reason"]) == ("failing", "funding: HTTP 503")
    assert sources["velo"]["next_step"] == "set VELO_API_KEY in .env and restart"
    assert (sources["kraken"]["state"], sources["kraken"]["datasets"]) == ("waiting", 6)
    text = _text(clean_database)
    assert "\nbybit        failing    -       " in text
    assert "\n! nothing is pulled: no process runs the schedule. " in text
    assert "\nTABLE " not in text
    assert "\nTABLE " in _text(clean_database, "--all")


def _text(database: Database, *words: str) -> str:
    done = run_python("-m", "app.cli", "status", *words, DATABASE_URL=database.dsn, VELO_API_KEY="", NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _status(database: Database, *words: str) -> Any:
    return json.loads(_text(database, *words))


async def test_what_is_asked_often_reads_the_last_pulls_only(clean_database: Database) -> None:
    """Every open page asks how the sources stand: of thousands of pulls and errors it reads a few."""
    await clean_database.reads.execute(
        """insert into pull (source, dataset, status, started_at, finished_at, requests, error)
        select 'okx', 'funding', case when n > 2 then 'succeeded' else 'failed' end, at, at, 1,
          case when n <= 2 then 'no answer' end
        from generate_series(1, 4000) n, lateral (select now() - n * interval '5 minutes' as at) t"""
    )
    await clean_database.reads.execute(
        """insert into error_log (at, place, source, dataset, code, message, context)
        select finished_at, 'pull', source, dataset, 'unreachable', '-', jsonb_build_object('pull', id) from pull"""
    )
    await clean_database.reads.execute("analyze pull, error_log")
    pulls = (await quality.source_states(clean_database, {"okx": ["funding"], "bybit": ["funding"]}))["okx"]
    assert (pulls.failures, pulls.unanswered) == (2, True)
    arguments = ["okx"], ["funding"], [log.CANCELLED, log.ABANDONED], log.UNREACHABLE
    text = f"explain (analyze, timing off, format json) {sql('quality', 'source_states')}"
    (told,) = json.loads(await clean_database.reads.fetchval(text, *arguments))
    assert rows_read(told["Plan"], "pull") < 1500
    assert rows_read(told["Plan"], "error_log") < 50
