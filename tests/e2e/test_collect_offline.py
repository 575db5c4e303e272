"""`perpstore collect` where the exchange does not answer: it says why, and goes on. Where nothing is listed it ends."""

from dataclasses import replace

import pytest

from app import settings
from app.cli.collect import check_listed
from app.cli.console import Failure
from app.db import Database
from app.ingest.engine import Engine
from app.ingest.runner import Patience, opened
from app.ingest.sources import load
from tests import ticks


async def test_who_does_not_answer_is_asked_again(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DERIBIT_BASE_URL", "http://127.0.0.1:1")
    settings.environment.cache_clear()
    async with opened(Patience(tries=1)) as web:
        await check_listed(Engine(clean_database, replace(web, limiters={})), load(["deribit"])["deribit"], "BTC")
    settings.environment.cache_clear()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("perpstore: deribit does not say what it lists of BTC: ")
    assert "onnect" in said
    assert said.endswith(". It is asked until it does")


async def test_what_is_not_listed_is_not_collected(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ticks.replayed(clean_database, monkeypatch) as (engine, _, _):
        source = load(["deribit"], lambda _: {"currencies": "BTC"})["deribit"]
        await check_listed(engine, source, "BTC")
        with pytest.raises(Failure, match=r"deribit lists nothing of DOGE\. See `perpstore pull deribit instruments`"):
            await check_listed(engine, source, "DOGE")
