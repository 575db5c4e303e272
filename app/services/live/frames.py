"""Events as they go over the wire (text/event-stream), made once and shared by all readers."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.services.live.market import Contract, Market, Pair, Rate
from app.services.outbox import Event

TOPICS = {
    "funding": ("settled", "predicted"),
    "settled": ("settled",),
    "predicted": ("predicted",),
    "open-interest": ("open-interest",),
    "spreads": ("spreads",),
}
"""What can be asked for, and which kinds of frames that is."""
KNOWN = ("assumed", "inferred", "declared")
YEAR_OF_8H = 8760 / 8
PLACE = re.compile(r"(\d{1,18})\.(\d{1,9})(?:\.([0-9a-f]{1,16}))?", re.ASCII)
LAST = 100_000_000
"""A number in an event beyond all there are."""

Key = tuple[int, int]
"""Where a frame stands: the number of its event in the outbox, and its own in that event."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader has come to, as an event's `id` says: and by whose count, since spreads are found by each hub."""

    key: Key
    hub: str | None

    @classmethod
    def read(cls, text: str) -> "Place":
        """`57.3.8c1f`, or `57.3` of any hub. Raises ValueError."""
        found = PLACE.fullmatch(text.strip())
        if found is None:
            raise ValueError("an id of an event expected, such as 57.3.8c1f")
        return cls((int(found[1]), int(found[2])), found[3])


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: where it stands, its kind, the entity it is about (None: for everybody), and its bytes."""

    key: Key
    kind: str
    entity: int | None
    data: bytes


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def now() -> str:
    """This moment, as events have it."""
    return iso(datetime.now(UTC))


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(event: str, document: Mapping[str, Any], id_: str | None = None) -> bytes:
    told = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    place = "" if id_ is None else f"id: {id_}\n"
    return f"event: {event}\n{place}data: {told}\n\n".encode()


def settlements(event: Event) -> Iterator[tuple[int, Rate]]:
    """The settlements an event tells of, by series."""
    for row in event.rows if event.fact == "funding" else ():
        at = datetime.fromisoformat(row["ts"]).timestamp()
        yield row["series_id"], Rate(at, row["rate"], row["interval_hours"])


def facts(event: Event, market: Market, hub: str) -> Iterator[Frame]:
    """The rows of an event, each at its number from 1. Those of contracts nobody knows the asset of are left out."""
    for number, row in enumerate(event.rows, 1):
        contract = market.contracts.get(row["series_id"])
        if contract is None:
            continue
        named = {"asset": contract.asset, "exchange": contract.exchange, "instrument": contract.instrument}
        if event.fact == "open_interest":
            kind, name, values = "open-interest", "open-interest", _held(row)
        else:
            kind = "settled" if event.fact == "funding" else "predicted"
            name, values = "funding", _rate(kind, row, contract, market)
        known_at = iso(datetime.fromisoformat(row.get("known_at") or event.at))
        document = {**named, **values, "source": contract.source, "known_at": known_at, "at": event.at}
        data = _text(name, document, f"{event.id}.{number}.{hub}")
        yield Frame((event.id, number), kind, contract.entity_id, data)


def _held(row: Mapping[str, Any]) -> dict[str, Any]:
    time = iso(datetime.fromisoformat(row["ts"]))
    return {"time": time, "oi_base": row["oi_base"], "oi_usd": row["oi_usd"]}


def _rate(kind: str, row: Mapping[str, Any], contract: Contract, market: Market) -> dict[str, Any]:
    """A settlement or a sample. The interval of a sample, if untold, is that of the settlement before."""
    hours: float | None = row["interval_hours"]
    known: str = (
        "inferred" if hours is None else "declared" if kind == "predicted" else KNOWN[int(row["interval_known"])]
    )
    if hours is None:
        settled = market.rates.get(contract.series_id)
        hours = settled.hours if settled else contract.listed_hours
    for_time = _time(row.get("for_time"))
    return {
        "kind": kind,
        "time": iso(datetime.fromisoformat(row["ts"])),
        "rate": row["rate"] * 8 / hours if hours else None,
        "rate_native": row["rate"],
        "interval_hours": hours,
        "interval_known": known,
        "for_time": iso(for_time) if for_time else None,
    }


def spread(asset: str, time: str, pair: Pair | None, id_: str | None = None) -> bytes:
    """The best pair of an asset, rates and spread per 8 hours; null where fewer than two rates are in force."""
    short, long = pair or (None, None)
    value = short[1].per_8h - long[1].per_8h if short and long else None
    document = {
        "asset": asset,
        "time": time,
        "short_exchange": short and short[0].exchange,
        "long_exchange": long and long[0].exchange,
        "short_instrument": short and short[0].instrument,
        "long_instrument": long and long[0].instrument,
        "short_rate": short and short[1].per_8h,
        "long_rate": long and long[1].per_8h,
        "spread": value,
        "spread_apr": None if value is None else value * YEAR_OF_8H,
    }
    return _text("spreads", document, id_)


def reset(reason: str, now: str, id_: str) -> bytes:
    """Events may have been missed: what became known before `from` is to be read over REST, what does later follows."""
    return _text("reset", {"reason": reason, "from": now}, id_)


def dropped(reason: str) -> bytes:
    """The last event of a reader that cannot keep up."""
    return _text("dropped", {"reason": reason})
