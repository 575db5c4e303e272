"""Events as they go over the wire (text/event-stream), made once and shared by all readers."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
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
KINDS = {"funding": "settled", "predicted_funding": "predicted", "open_interest": "open-interest"}
"""The kind of frames that the rows of a fact are."""
KNOWN = ("assumed", "inferred", "declared")
YEAR_OF_8H = 8760 / 8
PLACE = re.compile(r"(\d{1,18})\.(\d{1,9})(?:\.([0-9a-f]{1,16}))?", re.ASCII)
LAST = 100_000_000
"""A number in an event beyond all there are."""

Wants = Callable[[str, int], bool]
"""Whether frames of a kind about an entity are to be made."""
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


def _text(event: str, document: Mapping[str, Any], id_: str | None = None) -> bytes:
    told = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    place = "" if id_ is None else f"id: {id_}\n"
    return f"event: {event}\n{place}data: {told}\n\n".encode()


def settlements(event: Event) -> Iterator[tuple[int, Rate]]:
    """The settlements an event tells of, by series."""
    for row in event.rows if event.fact == "funding" else ():
        at = datetime.fromisoformat(row["ts"]).timestamp()
        yield row["series_id"], Rate(at, row["rate"], row["hours"])


def everything(kind: str, entity: int) -> bool:
    """What the frames of a hub are: of all kinds and entities."""
    return True


def facts(event: Event, numbers: range, market: Market, hub: str, wants: Wants = everything) -> Iterator[Frame]:
    """Rows of an event, by their numbers from 1. Those of contracts nobody knows the asset of are left out."""
    kind = KINDS[event.fact]
    for number in numbers:
        row = event.rows[number - 1]
        contract = market.contracts.get(row["series_id"])
        if contract is None or not wants(kind, contract.entity_id):
            continue
        data = _fact(event, kind, row, contract, f"{event.id}.{number}.{hub}")
        yield Frame((event.id, number), kind, contract.entity_id, data)


def _fact(event: Event, kind: str, row: Mapping[str, Any], contract: Contract, id_: str) -> bytes:
    name, values = (kind, _held(row)) if kind == "open-interest" else ("funding", _rate(kind, row))
    document = {
        "asset": contract.asset,
        "exchange": contract.exchange,
        "instrument": contract.instrument,
        **values,
        "source": contract.source,
        "generated": contract.generated,
        "known_at": _again(row.get("known_at")) or event.at,
        "at": event.at,
    }
    return _text(name, document, id_)


def _again(text: str | None) -> str | None:
    """A time as JSON of the database has it, as answers have it."""
    return None if text is None else iso(datetime.fromisoformat(text))


def _held(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"time": _again(row["ts"]), "oi_base": row["oi_base"], "oi_usd": row["oi_usd"]}


def _rate(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A settlement or a sample. Its interval is null where nobody knows one."""
    hours: float | None = row["hours"]
    return {
        "kind": kind,
        "time": _again(row["ts"]),
        "rate": row["rate"] * 8 / hours if hours else None,
        "rate_native": row["rate"],
        "interval_hours": hours,
        "interval_known": None if row["how"] is None else KNOWN[row["how"]],
        "for_time": _again(row.get("for_time")),
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
        "generated": any(leg[0].generated for leg in pair or ()),
    }
    return _text("spreads", document, id_)


def reset(reason: str, now: str, id_: str) -> bytes:
    """Events may have been missed: what became known before `from` is to be read over REST, what does later follows."""
    return _text("reset", {"reason": reason, "from": now}, id_)


def dropped(reason: str) -> bytes:
    """The last event of a reader that is closed."""
    return _text("dropped", {"reason": reason})


def beginning(retry_ms: int) -> bytes:
    """The first words of a stream, and when to come back after it."""
    return b": perpstore\nretry: %d\n\n" % retry_ms


def place(id_: str) -> bytes:
    """No event, but from where on to resume."""
    return f"id: {id_}\n\n".encode()


def heartbeat(id_: str) -> bytes:
    """The same, where nothing was told for a while."""
    return b": heartbeat\n" + place(id_)
