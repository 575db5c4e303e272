"""What the engine writes down."""

from datetime import timedelta

import pytest

from app.db import Database, connected
from app.services import error_log, log
from app.services.error_log import note_error


async def test_a_pull_from_begin_to_end(clean_database: Database) -> None:
    number = await log.begin(clean_database, "here", "funding")
    assert await log.last_success(clean_database, "here", "funding") is None
    await log.note(clean_database, number, log.Counts(requests=2, received=10))
    (row,) = await log.pulls(clean_database)
    assert (row.status, row.requests, row.finished_at) == ("running", 2, None)
    await log.finish(clean_database, number, "succeeded", log.Counts(3, 20, 12, 1, 2), None)
    (row,) = await log.pulls(clean_database, source="here", dataset="funding")
    assert (row.status, row.requests, row.received, row.inserted, row.updated, row.rejected, row.error) == (
        *("succeeded", 3, 20, 12, 1, 2),
        None,
    )
    assert await log.last_success(clean_database, "here", "funding") == row.finished_at
    assert await log.pulls(clean_database, source="elsewhere") == []


async def test_rejects_are_counted_by_code_and_symbol(clean_database: Database) -> None:
    await log.reject(clean_database, "here", "funding", [])
    for reason in ("first", "then\x00"):
        rows = [log.Rejected("interval", "BTC", reason, 3), log.Rejected("interval", "", reason)]
        await log.reject(clean_database, "here", "funding", rows)
    found = {row.symbol: row for row in await log.rejects(clean_database, source="here")}
    assert {symbol: (row.count, row.reason) for symbol, row in found.items()} == {"BTC": (6, "then"), "": (2, "then")}
    assert found["BTC"].first_seen < found["BTC"].last_seen


async def test_only_the_newest_bodies_are_kept_and_only_their_beginning(clean_database: Database) -> None:
    await log.keep_body(clean_database, "there", "funding", log.Unread("GET /", 200, "no", b"other"))
    for number in range(log.KEPT_BODIES + 3):
        body = b"%d " % number + b"x" * (2 * log.MAX_BODY if number == log.KEPT_BODIES else 1)
        await log.keep_body(clean_database, "here", "funding", log.Unread("GET /", 200, "no", body))
    kept = await log.bodies(clean_database, source="here", limit=1000)
    assert len(kept) == log.KEPT_BODIES
    assert kept[-1].body.startswith(b"3 ")
    assert max(len(row.body) for row in kept) == log.MAX_BODY
    assert len(await log.bodies(clean_database)) == 20


async def test_what_operators_say_of_jobs(clean_database: Database) -> None:
    await log.ask_job(clean_database, "a:x")
    await log.pause_job(clean_database, "a:y", True)
    states = await log.job_states(clean_database)
    assert states["a:x"].asked_at
    assert states["a:y"] == log.JobState(paused=True)
    assert await log.take_asked(clean_database, ["a:y"]) == []
    assert await log.take_asked(clean_database, ["a:x", "a:y"]) == ["a:x"]
    assert await log.take_asked(clean_database, ["a:x", "a:y"]) == []
    await log.pause_job(clean_database, "a:y", False)
    assert (await log.job_states(clean_database))["a:y"] == log.JobState()


async def test_errors_are_kept_without_secrets_and_not_at_any_length(clean_database: Database) -> None:
    context = {"url": "https://x/?api_key=hunter2secret", "attempt": 3, "words": "y" * 5_000, "more": ["a", None]}
    told = "x" * 5_000
    await note_error(clean_database, "pull", "failed", "Bearer hunter2secret", "velo", "perp_1h", context)
    await note_error(clean_database, "request", "internal_error", told)
    first, second = await clean_database.reads.fetch("select * from error_log order by id")
    assert (first["place"], first["source"], first["dataset"], first["code"]) == ("pull", "velo", "perp_1h", "failed")
    assert "hunter2secret" not in str(dict(first))
    assert '"attempt": 3' in first["context"]
    assert len(first["context"]) < 1_000
    assert (len(second["message"]), second["source"], second["context"]) == (error_log.MAX_MESSAGE, None, "{}")


async def test_old_errors_make_room(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_log, "KEPT_ROWS", 5)
    for number in range(8):
        await note_error(clean_database, "pull", "failed", f"number {number}")
    messages = "select array_agg(message order by id) from error_log"
    assert await clean_database.reads.fetchval(messages) == [f"number {n}" for n in range(3, 8)]
    old = error_log.KEPT + timedelta(minutes=1)
    await clean_database.reads.execute("update error_log set at = at - $1::interval where message <> 'number 7'", old)
    await note_error(clean_database, "pull", "failed", "number 8")
    assert await clean_database.reads.fetchval(messages) == ["number 7", "number 8"]


async def test_an_error_that_cannot_be_written_is_not_another(
    clean_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(clean_database.dsn) as db:
        await db.reads.execute("alter table error_log rename to elsewhere")
        try:
            await note_error(db, "pull", "failed", "lost")
        finally:
            await db.reads.execute("alter table elsewhere rename to error_log")
    assert "the error log cannot be written" in caplog.text
