"""DefiLlama, replayed: its free hosts on one, and that of subscribers, where a key is the first part of a path.

Each number follows from whose it is, what it is and the day; a parent's is the sum over its protocols.
"""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from tests.replayed.bodies import Answer, Query
from tests.replayed.defi import (
    BRIDGES,
    CHAINS,
    DAY,
    PROTOCOLS,
    STABLECOINS,
    amount,
    days,
    midnight,
    parts_of,
    protocol_amount,
    seconds,
)

KEY = "replay-llama-key"
MOST_IN_A_MINUTE = 900
FOLDERS = ("api", "stablecoins", "bridges")


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """What is told to whom: more with the key, and nothing with a wrong one."""
    words = [unquote(word) for word in path.strip("/").split("/")]
    keyed = len(words) > 2 and words[1] in FOLDERS
    if keyed and words[0] != KEY:
        return 401, {"message": "Invalid API key"}
    asked = words[2:] if keyed else words
    needs_key = asked[0] == "inflows" or "derivatives" in asked[:2]
    if needs_key and not keyed:
        return 402, {"error": "This endpoint is only available to subscribers"}
    tell = PATHS.get(asked[0])
    told = tell(asked[1:], query, now) if tell else None
    return (200, told) if told is not None else (404, f"Cannot GET {path}" if tell is None else "Not found")


def _chains(words: list[str], query: Query, now: datetime) -> Any:
    if words == ["chains"]:
        return [
            {"gecko_id": gecko, "tvl": amount(name, "TVL", day=midnight(now)), "tokenSymbol": symbol, "name": name}
            for name, (symbol, gecko) in CHAINS.items()
        ]
    if words[0] == "historicalChainTvl" and words[1] in CHAINS:
        return [{"date": seconds(day), "tvl": amount(words[1], "TVL", day=day)} for day in days(now)]
    return None


def _protocols(words: list[str], query: Query, now: datetime) -> Any:
    day = midnight(now)
    return [
        {
            "id": str(2000 + number),
            "name": name,
            "slug": slug,
            "symbol": symbol,
            "gecko_id": gecko,
            "chains": ["Ethereum"],
            "tvl": amount(slug, "tvl", day=day),
            "chainTvls": {
                "Ethereum": amount(slug, "tvl", day=day),
                "staking": amount(slug, "staking", day=day),
                "pool2": amount(slug, "pool2", day=day),
                "borrowed": amount(slug, "borrowed", day=day),
                "Ethereum-borrowed": amount(slug, "borrowed", day=day),
            },
            "change_1h": 0.25,
            "change_1d": -1.5,
            "change_7d": 3.75,
            "mcap": None,
            **({"parentProtocol": f"parent#{parent}", "parentProtocolSlug": parent} if parent else {}),
        }
        for number, (slug, (name, symbol, gecko, parent, _)) in enumerate(PROTOCOLS.items())
    ]


def _protocol(words: list[str], query: Query, now: datetime) -> Any:
    [slug] = words

    def series(what: str) -> list[Any]:
        return [{"date": seconds(d), "totalLiquidityUSD": protocol_amount(slug, what, d)} for d in days(now)]

    if not parts_of(slug):
        return None
    extras = {what: {"tvl": series(what)} for what in ("staking", "pool2", "borrowed")}
    return {"name": slug, "tvl": series("tvl"), "chainTvls": {"Ethereum": {"tvl": series("tvl")}, **extras}}


def _totals(of: Callable[[datetime], float], now: datetime) -> dict[str, float]:
    today = midnight(now)
    week, month = ([today - n * DAY for n in range(length)] for length in (7, 30))
    return {
        "total24h": of(today),
        "total48hto24h": of(today - DAY),
        "total7d": math.fsum(map(of, week)),
        "total30d": math.fsum(map(of, month)),
        "total1y": math.fsum(map(of, month)) * 12,
        "totalAllTime": math.fsum(map(of, month)) * 24,
        "average1y": of(today),
        "change_1d": (of(today) / of(today - DAY) - 1) * 100,
        "change_7d": 1.5,
        "change_1m": -2.5,
    }


def _chart(of: Callable[[datetime], float], query: Query, now: datetime) -> dict[str, Any]:
    left_out = query.get("excludeTotalDataChart") == "true"
    points = [] if left_out else [[seconds(day), of(day)] for day in days(now)]
    return {"totalDataChart": points, "totalDataChartBreakdown": []}


def _overview(words: list[str], query: Query, now: datetime) -> Any:
    kind, *chain = words
    what = query.get("dataType", kind)
    if chain and chain[0] not in CHAINS:
        return None

    def of(day: datetime) -> float:
        return amount(*chain, "all", what, day=day)

    rows = [] if chain else [_row(slug, kind, what, now) for slug, told in PROTOCOLS.items() if kind in told[4]]
    if kind == "fees" and not chain:
        rows += [_chain_row(name, what, now) for name in CHAINS]
    totals = {"chain": chain[0] if chain else None, "allChains": list(CHAINS), **_totals(of, now)}
    return {**totals, **_chart(of, query, now), "protocols": rows}


def _row(slug: str, kind: str, what: str, now: datetime) -> Any:
    name, _, _, parent, _ = PROTOCOLS[slug]
    row = {"slug": slug, "name": name, "displayName": name, "protocolType": "protocol"}
    totals = _totals(lambda day: amount(slug, what, day=day), now)
    return {**row, **totals, **({"parentProtocol": f"parent#{parent}"} if parent else {})}


def _chain_row(name: str, what: str, now: datetime) -> Any:
    row = {"slug": name.lower().replace(" ", "-"), "name": name, "displayName": name, "protocolType": "chain"}
    return {**row, **_totals(lambda day: amount(name, what, day=day), now)}


def _summary(words: list[str], query: Query, now: datetime) -> Any:
    kind, slug = words
    what = query.get("dataType", kind)
    chain = next((name for name in CHAINS if name.lower().replace(" ", "-") == slug), None)
    parts = [part for part in parts_of(slug) if kind in PROTOCOLS[part][4]]
    if not parts and (chain is None or kind != "fees"):
        return None

    def of(day: datetime) -> float:
        return math.fsum(amount(part, what, day=day) for part in parts or [chain])

    return {"name": slug, "slug": slug, **_totals(of, now), **_chart(of, query, now)}


def _stablecoins(words: list[str], query: Query, now: datetime) -> Any:
    def supply(id: str, back: int, peg: str) -> dict[str, float]:
        return {peg: amount(id, "supply", day=midnight(now) - back * DAY)}

    assets = [
        {
            "id": id,
            "name": name,
            "symbol": symbol,
            "gecko_id": gecko,
            "pegType": peg,
            "circulating": supply(id, 0, peg),
            "circulatingPrevDay": supply(id, 1, peg),
            "circulatingPrevWeek": supply(id, 7, peg),
            "circulatingPrevMonth": supply(id, 30, peg),
            "price": 1.0001 if query.get("includePrices") == "true" else None,
        }
        for id, (name, symbol, gecko, peg) in STABLECOINS.items()
    ]
    return {"peggedAssets": assets}


def _supplies(words: list[str], query: Query, now: datetime) -> Any:
    id = query["stablecoin"]
    if id not in STABLECOINS:
        return None
    peg = STABLECOINS[id][3]
    amounts = ((day, amount(id, "supply", day=day)) for day in days(now))
    return [
        {"date": str(seconds(d)), "totalCirculating": {peg: n / 1.1}, "totalCirculatingUSD": {peg: n}}
        for d, n in amounts
    ]


def _bridges(words: list[str], query: Query, now: datetime) -> Any:
    def volume(id: int, length: int) -> float:
        return math.fsum(amount(id, "bridge", day=midnight(now) - n * DAY) for n in range(1, length + 1))

    rows = [
        {
            "id": id,
            "name": name.lower(),
            "displayName": name,
            "lastDailyVolume": volume(id, 1),
            "weeklyVolume": volume(id, 7),
            "monthlyVolume": volume(id, 30),
            "destinationChain": "false",
        }
        for id, name in BRIDGES.items()
    ]
    return {"bridges": rows}


def _volumes(words: list[str], query: Query, now: datetime) -> Any:
    id = int(query["id"])
    if id not in BRIDGES:
        return None
    amounts = ((day, amount(id, "bridge", day=day)) for day in days(now))
    return [{"date": str(seconds(d)), "depositUSD": n / 2, "withdrawUSD": n * 1.5} for d, n in amounts]


def _flows(words: list[str], query: Query, now: datetime) -> Any:
    slug, then = words
    if slug not in PROTOCOLS:
        return None
    net = amount(slug, "flow", day=midnight(now)) * (-1 if len(slug) % 2 else 1)
    return {"outflows": net, "oldTokens": {"date": int(then), "tvl": {}}, "currentTokens": {"tvl": {}}}


PATHS: dict[str, Callable[[list[str], Query, datetime], Any]] = {
    "v2": _chains,
    "protocols": _protocols,
    "protocol": _protocol,
    "overview": _overview,
    "summary": _summary,
    "stablecoins": _stablecoins,
    "stablecoincharts": _supplies,
    "bridges": _bridges,
    "bridgevolume": _volumes,
    "inflows": _flows,
}
