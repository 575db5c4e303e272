"""What went wrong, and how much is stored, as operators ask for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from app.main import create_app
from app.services import partitions, retention
from app.services.error_log import note_error
from app.settings import Settings
from tests.db import facts
from tests.db.facts import without_days
from tests.db.minutes import tell


@pytest.mark.parametrize("path", ["/admin/errors", "/admin/storage", "/admin/storage/forecast"])
async def test_they_need_the_scope(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "key_required")


async def test_errors_of_a_place_and_a_source(writer: httpx.AsyncClient, clean_database: Database) -> None:
    await note_error(clean_database, "pull", "partial", "503", "okx", "candles_1m", {"pull": 7})
    await note_error(clean_database, "collector", "closed", "1006", "okx")
    await note_error(clean_database, "pull", "failed", "418", "binance", "funding")
    rows = (await writer.get("/admin/errors", params={"order": "desc"})).json()["data"]
    assert [row["message"] for row in rows] == ["418", "1006", "503"]
    assert (rows[2]["context"], rows[1]["context"], rows[1]["dataset"]) == ({"pull": 7}, {}, None)
    only = {"place": "pull", "source": "OKX", "since": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}
    (row,) = (await writer.get("/admin/errors", params=only)).json()["data"]
    assert (row["place"], row["code"], row["dataset"]) == ("pull", "partial", "candles_1m")
    later = {"since": rows[0]["time"], "format": "csv"}
    assert (await writer.get("/admin/errors", params=later)).text.count("\n") == 2
    assert (await writer.get("/admin/errors", params={"place": "pull", "page": "2"})).status_code == 400


async def test_what_goes_wrong_in_an_answer_is_there(clean_database: Database) -> None:
    app = create_app(Settings(scheduler=False, backfills=False), database=clean_database)

    @app.get("/broken")
    async def broken(secret: str) -> None:
        raise ZeroDivisionError(f"api_key={secret}\nsecond line")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        answer = await client.get("/broken?secret=hunter2secret", headers={"X-Request-ID": "r-500"})
    assert answer.status_code == 500
    (row,) = await clean_database.reads.fetch("select * from error_log")
    assert (row["place"], row["code"]) == ("request", "internal_error")
    assert row["message"].startswith("ZeroDivisionError: api_key=")
    assert '"request_id": "r-500"' in row["context"]
    assert '"path": "/broken"' in row["context"]
    assert "hunter2secret" not in str(dict(row))
    assert "second" not in row["message"]


async def test_storage_of_every_table(writer: httpx.AsyncClient, clean_database: Database) -> None:
    noted = datetime(2026, 11, 1, tzinfo=UTC)
    await clean_database.reads.execute(retention.NOTE, "perp_1m", noted)
    answer = (await writer.get("/admin/storage")).json()
    rows = {row["table"]: row for row in answer["data"]}
    assert {"perp_1m", "liquidation", "funding", "revision", "entity", "error_log"} <= rows.keys()
    assert rows["perp_1m"]["removed_before"] == "2026-11-01T00:00:00Z"
    assert rows["perp_1m"]["retention_days"] is None
    assert rows["entity"]["bytes"] > rows["entity"]["index_bytes"] > 0
    assert answer["meta"]["units"]["bytes"] == "bytes"


@pytest.fixture
async def empty(clean_database: Database) -> AsyncIterator[Database]:
    """Without the days that other tests left behind."""
    await without_days(clean_database, *partitions.SPANS)
    yield clean_database
    await without_days(clean_database, *partitions.SPANS)


async def test_how_long_the_disk_lasts(writer: httpx.AsyncClient, empty: Database, tmp_path: Path) -> None:
    """With a folder on it the disk is known; without, why it is not. Growth is of the days that ended."""
    app = writer._transport.app  # type: ignore[attr-defined]
    asked = "/admin/storage/forecast"

    async def told(**changes: object) -> tuple[dict[str, Any], list[str]]:
        app.state.settings = Settings(scheduler=False, **changes)  # type: ignore[arg-type]
        answer = (await writer.get(asked)).json()
        (row,) = answer["data"]
        return row, answer["meta"]["notices"]

    row, notices = await told(database_url="postgresql://elsewhere/x")
    assert (row["disk_total_bytes"], row["bytes_per_day"], row["full_in_days"]) == (None, None, None)
    assert ["PERPSTORE_DATABASE_DIR" in notices[0], "no day" in notices[1]] == [True, True]
    series = await facts.series(empty, "binance", "BTCUSDT")
    await tell(empty, series, [(datetime.now(UTC) - facts.DAY) // timedelta(minutes=1) - 4 * 1440])
    row, notices = await told(database_url="postgresql://elsewhere/x", database_dir=tmp_path)
    assert notices == []
    assert row["database_bytes"] > row["bytes_per_day"] > 0
    assert row["disk_total_bytes"] >= row["disk_used_bytes"] + row["disk_free_bytes"]
    assert row["full_in_days"] == pytest.approx(row["disk_free_bytes"] / row["bytes_per_day"], rel=0.01)
    assert row["settles_at_bytes"] is None
    row, _ = await told(database_dir=tmp_path, retention_days=5)
    assert row["full_in_days"] is None
    (minutes,) = [r for r in (await writer.get("/admin/storage")).json()["data"] if r["table"] == "perp_1m"]
    assert minutes["settles_at_bytes"] == 6 * minutes["bytes_per_day"]
    assert row["settles_at_bytes"] == row["database_bytes"] + minutes["settles_at_bytes"] - minutes["bytes"]
