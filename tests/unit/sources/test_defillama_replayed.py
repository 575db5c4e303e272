"""DefiLlama over real sockets: a round and a back-fill with the key and without, a wrong key, too many requests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from app import settings
from app.ingest.errors import Absent, Refused, Throttled
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.runner import Patience, opened
from app.ingest.spec import Aim, Feed, Window
from app.records import MetricValue, SourceAsset
from tests.defillama import (
    DAY,
    NOW,
    SOURCE,
    TODAY,
    batch,
    market,
    window,
)
from tests.replay import Replay
from tests.replayed import defi, defillama

IDS = {
    "chain_name": ("Ethereum", "Solana", "Hyperliquid L1", "OP Mainnet"),
    "protocol_slug": ("aave", "uniswap-v3", "hyperliquid"),
    "stablecoin_id": ("1", "52"),
    "bridge_id": ("11",),
}


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    with Replay(now=lambda: NOW) as replay:
        monkeypatch.setenv("DEFILLAMA_BASE_URL", replay.url)
        monkeypatch.delenv("DEFILLAMA_API_KEY", raising=False)
        settings.environment.cache_clear()
        yield replay
    monkeypatch.undo()
    settings.environment.cache_clear()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, replay: Replay) -> str:
    monkeypatch.setenv("DEFILLAMA_API_KEY", defillama.KEY)
    settings.environment.cache_clear()
    return defillama.KEY


@asynccontextmanager
async def asking() -> AsyncIterator[Line]:
    async with opened(Patience(tries=1), now=lambda: NOW) as web:
        yield Line(replace(web, limiters={}), SOURCE)


def planned(aim: Aim) -> list[tuple[Feed, Window]]:
    feeds = [feed for feed in SOURCE.feeds if aim.keyed or not feed.needs_key]
    if aim.live:
        lists = [(feed, Window(aim.start, aim.end)) for feed in feeds if feed.scope == "market"]
        return lists + [(feed, piece) for feed in feeds if feed.pieces for piece in feed.pieces(aim)]
    return [(feed, piece) for feed in feeds if feed.pieces for piece in feed.pieces(aim)]


async def pulled(line: Line, aim: Aim) -> tuple[Fetched, int]:
    """All that answers to an aim, and of how many there is nothing."""
    found, refused = Fetched(), 0
    for feed, piece in planned(aim):
        try:
            found += await fetch(line, feed, piece)
        except Absent:
            refused += 1
    return found, refused


def values(found: Fetched) -> dict[tuple[str, str, object], float]:
    told = [record for record in found.records if isinstance(record, MetricValue)]
    return {(record.metric.name, record.id, record.time): record.value for record in told}


async def test_a_round_without_a_key(replay: Replay) -> None:
    async with asking() as line:
        found, refused = await pulled(line, Aim(NOW, NOW, live=True, assets=IDS))
    told = values(found)
    assert (refused, found.bad) == (0, [])
    assert {time for _, _, time in told} == {TODAY}
    aave = sum(defi.amount(slug, "tvl", day=TODAY) for slug in ("aave-v2", "aave-v3"))
    assert told["TVL", "aave", TODAY] == pytest.approx(aave)
    assert told["CHAIN_TVL", "Hyperliquid L1", TODAY] == defi.amount("Hyperliquid L1", "TVL", day=TODAY)
    assert told["CHAIN_FEES_24H", "OP Mainnet", TODAY] == defi.amount("OP Mainnet", "all", "fees", day=TODAY)
    assert told["CHAIN_GAS_FEES_24H", "OP Mainnet", TODAY] == defi.amount("OP Mainnet", "fees", day=TODAY)
    assert told["STABLECOIN_SUPPLY", "52", TODAY] == defi.amount("52", "supply", day=TODAY)
    listed = {(record.id_type, record.id) for record in found.records if isinstance(record, SourceAsset)}
    assert {("chain_name", "Base"), ("protocol_slug", "aave"), ("stablecoin_id", "1"), ("bridge_id", "11")} <= listed
    assert all(replay.counted()[path] == 1 for path in ("/v2/chains", "/protocols", "/stablecoins", "/bridges"))
    assert not any("DERIVATIVES" in name or name == "INFLOW" for name, _, _ in told)


async def test_a_round_with_a_key_goes_to_subscribers_alone(replay: Replay, key: str) -> None:
    async with asking() as line:
        found, refused = await pulled(line, Aim(NOW, NOW, live=True, assets=IDS, keyed=True))
    told = values(found)
    assert refused == 2  # flows of parents are not told
    assert all(path.startswith(f"/{key}/") for path in replay.counted())
    assert replay.counted()[f"/{key}/api/protocols"] == 1
    assert told["DERIVATIVES_VOLUME_24H", "hyperliquid", TODAY] > 0
    assert told["CHAIN_PERPS_VOLUME_24H", "Ethereum", TODAY] > 0
    assert told["INFLOW", "uniswap-v3", TODAY] == defi.amount("uniswap-v3", "flow", day=TODAY)
    assert told["OUTFLOW", "uniswap-v3", TODAY] == 0


async def test_a_back_fill_ends_with_the_last_whole_day(replay: Replay, key: str) -> None:
    async with asking() as line:
        found, refused = await pulled(line, Aim(defi.BEGINS, TODAY, live=False, assets=IDS, keyed=True))
    told = values(found)
    assert refused > 0  # not every protocol is in every overview
    assert (min(time for _, _, time in told), max(time for _, _, time in told)) == (defi.BEGINS, TODAY - DAY)
    whole = (TODAY - defi.BEGINS) // DAY
    for name, id in (
        ("CHAIN_TVL", "Ethereum"),
        ("CHAIN_REVENUE", "Solana"),
        ("CHAIN_GAS_FEES", "Hyperliquid L1"),
        ("FEES", "hyperliquid"),
        ("TVL", "aave"),
        ("BORROWED", "aave"),
        ("EARNINGS", "aave"),
        ("DERIVATIVES_VOLUME", "hyperliquid"),
        ("STABLECOIN_SUPPLY", "1"),
        ("BRIDGE_VOLUME", "11"),
    ):
        assert sum((n, i) == (name, id) for n, i, _ in told) == whole, name
    assert told["BRIDGE_VOLUME", "11", defi.BEGINS] == pytest.approx(defi.amount(11, "bridge", day=defi.BEGINS))


async def test_a_wrong_key_is_refused_everywhere_and_not_shown(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFILLAMA_API_KEY", "sesame-open")
    settings.environment.cache_clear()
    async with asking() as line:
        with pytest.raises(Refused) as caught:
            await fetch(line, market("/protocols"), window())
    assert caught.value.everywhere
    assert "sesame" not in f"{caught.value} {caught.value.question}"
    assert replay.asked[0].path.startswith("/sesame-open/")


async def test_an_unknown_slug_is_absent(replay: Replay) -> None:
    async with asking() as line:
        with pytest.raises(Absent):
            await fetch(line, batch("TVL", "protocol_slug"), window("nobody", column="TVL", live=False))


async def test_too_many_requests_are_throttled(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defillama, "MOST_IN_A_MINUTE", 3)
    async with asking() as line:
        for _ in range(3):
            await fetch(line, market("/v2/chains"), window())
        with pytest.raises(Throttled):
            await fetch(line, market("/v2/chains"), window())
