"""A source whose key is missing is left out, says so, and stops nothing else."""

import logging

import httpx
import pytest

from app import settings
from app.db import Database
from app.ingest.sources import load
from app.main import create_app
from app.settings import Settings


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VELO_API_KEY", "ARTEMIS_API_KEY", "DEFILLAMA_API_KEY", "COINGECKO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    settings.environment.cache_clear()


async def test_it_is_said_once_in_the_log_and_in_the_sources(
    clean_database: Database, keyless: None, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(scheduler=False, backfills=False), clean_database)
    with caplog.at_level(logging.WARNING):
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                rows = (await client.get("/sources")).json()["data"]
            jobs = {job["source"] for job in app.state.jobs()}
    said = sorted(record.getMessage() for record in caplog.records if "disabled" in record.getMessage())
    assert said == ["artemis is disabled: ARTEMIS_API_KEY is not set", "velo is disabled: VELO_API_KEY is not set"]
    disabled = {row["source"]: row["disabled"] for row in rows if row["disabled"]}
    assert disabled == {"artemis": "ARTEMIS_API_KEY is not set", "velo": "VELO_API_KEY is not set"}
    assert jobs == load().keys() - disabled.keys()
