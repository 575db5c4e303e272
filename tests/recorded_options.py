"""Recorded option chains of Deribit: as plain states, and imported as a user would."""

import ast
import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx

from tests.conftest import shared
from tests.plain_options import State

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SNAPSHOTS, SWEEP = "deribit_option_snapshots_2026_02", "deribit_option_chain_btc_2020_05_21"
COINS = ("BTC", "ETH")
COLUMNS = {
    "ts": "time", "instrument_name": "instrument", "bid_price": "bid", "ask_price": "ask", "mark_price": "mark",
    "implied_volatility": "mark_iv", "delta": "", "vega": "",
}  # fmt: skip
"""Columns of the snapshots and the fields they are; the greeks are left out, to be computed."""
Row = dict[str, str]


class Published(NamedTuple):
    """What the exchange told of the greeks of one option."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def moment(milliseconds: str) -> datetime:
    return EPOCH + timedelta(milliseconds=int(milliseconds))


def number(text: str) -> float | None:
    return float(text) if text else None


def rows_of(dataset: str, file: str) -> list[Row]:
    path = shared(f"datasets/{dataset}") / file
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def snapshots(coin: str) -> list[Row]:
    """A week of chains, four a day."""
    return rows_of(SNAPSHOTS, f"{coin}_options.csv.gz")


def state_of(row: Row) -> State:
    """A row of a snapshot."""
    told = (number(row[name]) for name in ("bid_price", "ask_price", "mark_price", "implied_volatility"))
    numbers = (float(row[name]) for name in ("underlying", "index_price", "open_interest", "volume"))
    return State(row["instrument_name"], moment(row["ts"]), *told, *numbers)


def sweep() -> dict[str, tuple[State, Published]]:
    """One chain with its greeks, volatility in percent there; what is 0 because there is none is None here."""
    found = {}
    for row in rows_of(SWEEP, "options_data.csv.gz"):
        greeks, stats = ast.literal_eval(row["greeks"]), ast.literal_eval(row["stats"])
        state = State(
            row["instrument_name"],
            moment(row["timestamp"]),
            number(row["best_bid_price"]) or None,
            number(row["best_ask_price"]) or None,
            number(row["mark_price"]),
            (number(row["mark_iv"]) or 0) / 100 or None,
            float(row["underlying_price"]),
            float(row["index_price"]),
            float(row["open_interest"]),
            stats["volume"],
        )
        found[state.instrument] = state, Published(**greeks)
    return found


def body_of(states: Mapping[str, tuple[State, Published]]) -> list[dict[str, Any]]:
    """The same as the rows of an import."""
    return [
        {"time": state.time.isoformat(), "instrument": name, "bid": state.bid, "ask": state.ask, "mark": state.mark,
         "mark_iv": state.iv, "underlying": state.underlying, "index_price": state.index,
         "open_interest": state.open_interest, "volume": state.volume, **greeks._asdict()}
        for name, (state, greeks) in states.items()
    ]  # fmt: skip


async def post(client: httpx.AsyncClient, body: bytes, kind: str, **more: Any) -> dict[str, Any]:
    """Import a body as of Deribit; returns the answer."""
    query = {"set": "exchange:deribit", **more}
    answer = await client.post("/options", params=query, content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def bring_rows(client: httpx.AsyncClient, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return await post(client, text.encode(), "application/x-ndjson")


async def bring_snapshots(client: httpx.AsyncClient, rows: Iterable[Row]) -> dict[str, Any]:
    """Rows of snapshots as CSV, known since the instant they are of."""
    told = list(rows)
    lines = [",".join(told[0]), *(",".join(row.values()) for row in told)]
    names = [*(f"{column}:{field}" for column, field in COLUMNS.items()), "ts:known_at"]
    return await post(client, "\n".join(lines).encode(), "text/csv", map=names)
