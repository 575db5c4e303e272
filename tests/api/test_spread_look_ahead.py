"""No answer about spreads looks ahead: not at what happened later, nor at what was stored later."""

from datetime import UTC, datetime, timedelta

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.db import Database
from app.services.store import put
from tests.api.test_funding import iso
from tests.api.test_spreads import Rows, rows_of
from tests.db.facts import at, batch, series

HOURS = {"binance": 8, "bybit": 8, "okx": 4, "hyperliquid": 1}
FACTS = st.lists(
    st.tuples(st.sampled_from(sorted(HOURS)), st.integers(0, 47), st.sampled_from([-3e-4, 0.0, 1e-4, 2e-4])),
    min_size=1, max_size=12,
)  # fmt: skip
FEW = settings(
    max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


async def write(db: Database, facts: list[tuple[str, int, float]], *, after: float, until: float) -> None:
    told = {(name, hour): rate for name, hour, rate in facts if after < hour <= until}
    to = {name: await series(db, name, "BTCUSDT") for name in sorted({name for name, _ in told})}
    rows = [{"series_id": to[name], "ts": at(hour)} for name, hour in told]
    paid = [{"rate": rate, "interval_hours": float(HOURS[name])} for (name, _), rate in told.items()]
    held = [{"oi_usd": 1e6 + 1e9 * abs(rate)} for rate in told.values()]
    for fact, values in (("funding", paid), ("open_interest", held)):
        await put(db, fact, [batch(fact, [{**row, **value} for row, value in zip(rows, values, strict=True)])])


async def answers(client: httpx.AsyncClient, hour: float, **more: object) -> list[Rows]:
    """Everything that can be asked about an instant, or about the time before it."""
    window = {"start": iso(at(0)), "end": iso(at(hour) + timedelta(seconds=1)), "limit": 10_000}
    return [
        await rows_of(client, "/spreads", at=iso(at(hour)), pairs="all", **more),
        await rows_of(client, "/spreads/BTC", at=iso(at(hour)), **more),
        await rows_of(client, "/spreads/BTC", pairs="all", **window, **more),
        await rows_of(client, "/spreads/BTC", short="binance", long="hyperliquid", **window, **more),
        await rows_of(client, "/spreads", min_spread=1e-5, **window, **more),
    ]


@FEW
@given(facts=FACTS, hour=st.integers(0, 46))
async def test_what_happens_later_changes_no_answer(
    client: httpx.AsyncClient, clean_database: Database, facts: list[tuple[str, int, float]], hour: int
) -> None:
    await write(clean_database, facts, after=-1, until=hour)
    before = await answers(client, hour)
    await write(clean_database, facts, after=hour, until=48)
    assert await answers(client, hour) == before


@FEW
@given(facts=FACTS, corrected=FACTS, hour=st.integers(0, 47))
async def test_what_is_stored_later_changes_no_answer_of_what_was_known(
    client: httpx.AsyncClient,
    clean_database: Database,
    facts: list[tuple[str, int, float]],
    corrected: list[tuple[str, int, float]],
    hour: int,
) -> None:
    await write(clean_database, facts, after=-1, until=48)
    known = iso(datetime.now(UTC))
    before = await answers(client, hour, known_at=known)
    await write(clean_database, corrected, after=-1, until=48)
    assert await answers(client, hour, known_at=known) == before


@FEW
@given(facts=FACTS, gone=st.sampled_from(sorted(HOURS)), hour=st.integers(0, 47))
async def test_without_an_exchange_all_other_pairs_stay(
    client: httpx.AsyncClient,
    clean_database: Database,
    facts: list[tuple[str, int, float]],
    gone: str,
    hour: int,
) -> None:
    await write(clean_database, facts, after=-1, until=48)
    others = ",".join(name for name in HOURS if name != gone)
    for path in ("/spreads", "/spreads/BTC"):
        every = await rows_of(client, path, at=iso(at(hour)), pairs="all")
        left = await rows_of(client, path, at=iso(at(hour)), pairs="all", exchanges=others)
        stay = [row for row in every if gone not in (row["short_exchange"], row["long_exchange"])]
        assert [{**row, "rank": 0} for row in left] == [{**row, "rank": 0} for row in stay]
