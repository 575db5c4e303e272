"""Deribit as tests ask it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.sources import load
from app.ingest.spec import Source
from app.ingest.work import Order
from app.settings import words_of
from tests.replayed import deribit_contracts as ours
from tests.replayed.deribit_contracts import BTC, ETH, SOL, Contract

ENDLESS = {"credits": (5e9, 1e9, 500.0), "instruments": (5e9, 1e9, 10_000.0)}


def source(currencies: str | None = "BTC,ETH") -> Source:
    """Deribit of these currencies (None: of those in the environment), which may be asked as often as tests like."""
    words = words_of if currencies is None else lambda _: {"currencies": currencies}
    found = load(["deribit"], words)["deribit"]
    return replace(found, budgets={key: replace(one, limit=one.limit * 10_000) for key, one in found.budgets.items()})


async def pulled(engine: Engine, of: Source, *datasets: str) -> list[jobs.Pulled]:
    done = await jobs.pull_all(engine, of, datasets or jobs.datasets(of), Order())
    assert {(one.status, one.error, one.counts.rejected) for one in done} == {("succeeded", None, 0)}
    return done


async def read(client: httpx.AsyncClient, path: str, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"limit": 10_000, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def listed(now: datetime, *coins: str) -> list[Contract]:
    """What trades of these coins: BTC and ETH in the coin, others in USDC."""
    return [one for one in ours.contracts(now) if one.of.base in coins and one.of in (BTC, ETH, SOL)]
