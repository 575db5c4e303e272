"""Every socket, held to the same rules: a new one is tested by being there, and this file stays as it is.

Each has frames in the upstream's documented shape, `tests/payloads/<source>/socket_<id>.json`, with what each says and
holds, beside the contracts that are known and wanted and the frames that subscribe for them.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.ingest.spec import Bad, Known, Said, Socket, Source
from app.records import (
    BookChange,
    Candle,
    Instrument,
    Liquidation,
    OpenInterest,
    OptionTrade,
    PerpMinute,
    PredictedFunding,
    Quote,
    Record,
    Trade,
)
from tests.unit.test_sources import LABELS, PAYLOADS, SOURCES, is_number, nodes, plain

OPTIONAL = {"st", "iv", "mark_price", "index_price", "liquidation", "combo_id"}
"""Keys that older frames do not have, or only some rows."""
MINUTE = timedelta(minutes=1)
TOLD = Candle | PredictedFunding | OpenInterest | PerpMinute | Trade | Liquidation | Quote | OptionTrade | BookChange


@dataclass(frozen=True)
class Case:
    """One socket of one source with its frames."""

    source: Source
    socket: Socket

    @property
    def noted(self) -> dict[str, Any]:
        return json.loads((PAYLOADS / self.source.id / f"socket_{self.socket.id}.json").read_bytes())

    @property
    def known(self) -> Known:
        noted = self.noted
        contracts = [Instrument(**told) for told in noted["instruments"]]
        return Known({contract.symbol: contract for contract in contracts}, frozenset(noted["wanted"]))

    @property
    def telling(self) -> list[Any]:
        """The frames that hold a record."""
        return [one["frame"] for one in self.noted["frames"] if any("record" in (row or ()) for row in one["rows"])]


def cases() -> Iterator[Any]:
    for source in SOURCES.values():
        for socket in source.sockets:
            yield pytest.param(Case(source, socket), id=f"{source.id}-{socket.id}")


every_socket = pytest.mark.parametrize("case", list(cases()))


def read(case: Case, frame: Any, known: Known | None = None) -> list[Any]:
    """What is read of a frame, which is nothing unless it is said to be of data."""
    items = list(case.socket.rows(frame, known or case.known))
    assert not items or case.socket.said(frame) is Said.DATA
    return items


@every_socket
def test_frames_say_and_hold_what_is_expected(case: Case) -> None:
    known = case.known
    for one in case.noted["frames"]:
        assert case.socket.said(one["frame"]).value == one["said"], one["frame"]
        assert [plain(item) for item in read(case, one["frame"], known)] == one["rows"], one["frame"]


@every_socket
def test_there_are_frames_of_every_channel(case: Case) -> None:
    said = {one["said"] for one in case.noted["frames"]}
    assert said >= {"data", "done", "refused", "nothing"} | ({"alive"} if case.socket.ping else set())
    told = {type(item) for frame in case.telling for item in read(case, frame) if isinstance(item, TOLD)}
    of = {
        "candles_1m": Candle,
        "predicted_funding": PredictedFunding,
        "open_interest": OpenInterest,
        "liquidations": Liquidation,
        "taker_volume": Trade,
        "quotes": Quote,
        "trades": OptionTrade,
        "book": BookChange,
    }
    assert told - {PerpMinute} >= {of[channel.dataset] for channel in case.socket.channels}


@every_socket
def test_topics_are_subscribed_for_in_full_frames(case: Case) -> None:
    socket, noted, known = case.socket, case.noted, case.known
    topics = [channel.topic(None) for channel in socket.channels if channel.scope == "market"]
    for channel in socket.channels:
        if channel.scope == "instrument":
            topics += [channel.topic(known.instruments[symbol]) for symbol in noted["wanted"]]
            with pytest.raises(ValueError, match=r"one|all"):
                channel.topic(None)
    most = socket.topics_a_frame
    assert len({json.dumps(topic) for topic in topics}) == len(topics)
    assert [socket.subscribe(topics[at : at + most]) for at in range(0, len(topics), most)] == noted["subscribe"]


@every_socket
def test_facts_of_a_socket(case: Case) -> None:
    socket = case.socket
    assert socket.url.startswith("wss://")
    assert not socket.url.endswith("/")
    assert socket.path.startswith("/")
    assert socket.docs.startswith("https://")
    assert 1 <= socket.topics_a_frame <= socket.topics_a_connection
    assert socket.frames_a_second > 0
    assert timedelta(seconds=1) <= socket.silence <= timedelta(seconds=30)
    assert socket.lasts < timedelta(hours=24)


@every_socket
def test_records_are_of_wanted_contracts_and_of_minutes(case: Case) -> None:
    known = case.known
    for item in (item for frame in case.telling for item in read(case, frame, known)):
        if item is None or isinstance(item, Bad):
            continue
        assert isinstance(item, TOLD)
        assert item.symbol in known.wanted
        assert item.time.utcoffset() == timedelta(0)
        if isinstance(item, Candle):
            assert item.interval == MINUTE
            assert item.volume_base is not None


@every_socket
@pytest.mark.parametrize("known", ["none", "none wanted", "wanted, but unknown"])
def test_contracts_that_are_not_wanted_are_left_out(case: Case, known: str) -> None:
    instruments, wanted = case.known.instruments, case.known.wanted
    others = {"none": Known({}, ()), "none wanted": Known(instruments, ()), "wanted, but unknown": Known({}, wanted)}
    for frame in case.telling:
        told = (item for item in read(case, frame, others[known]) if item is not None and not isinstance(item, Bad))
        assert all(_may_be_new(item, others[known]) for item in told)


def _may_be_new(item: Record, known: Known) -> bool:
    """Whether it is a trade of a contract that is in no list yet: whoever counts trades waits for that list."""
    return isinstance(item, OptionTrade) and item.symbol not in known.instruments


RUBBISH: tuple[Any, ...] = (
    "",
    "ok",
    "<html><head><title>502 Bad Gateway</title></head></html>",
    None,
    True,
    42,
    [],
    [[]],
    [{}],
    {},
    {"data": []},
    {"data": None},
    {"stream": None, "channel": None, "topic": None, "arg": None, "data": None},
    {"stream": [], "channel": {}, "topic": [], "arg": [], "data": {}},
)


@every_socket
def test_rubbish_is_nothing(case: Case) -> None:
    for frame in RUBBISH:
        assert case.socket.said(frame) is Said.NOTHING, frame
        assert read(case, frame) == [], frame


@every_socket
def test_a_frame_cut_off_is_nothing(case: Case) -> None:
    """It is no JSON any more, so it comes as text."""
    for frame in case.telling:
        text = json.dumps(frame)
        for part in (0.1, 0.5, 0.99):
            assert case.socket.said(text[: int(len(text) * part)]) is Said.NOTHING
            assert read(case, text[: int(len(text) * part)]) == []


def changes(frame: Any) -> Iterator[Any]:
    """The frame with one value changed: a number that is none, a value of another type, a key missing."""
    for path, value in nodes(frame):
        if not path:
            continue
        if is_number(value) and path[-1] not in LABELS:
            for wrong in ("n/a", "NaN", "1e999"):
                yield changed(frame, path, wrong)
        yield changed(frame, path, "no" if isinstance(value, dict) else {"no": 1})
        if isinstance(path[-1], str) and path[-1] not in OPTIONAL:
            yield changed(frame, path)


def changed(frame: Any, path: tuple[Any, ...], *to: Any) -> Any:
    frame = deepcopy(frame)
    at = frame
    for key in path[:-1]:
        at = at[key]
    if to:
        at[path[-1]] = to[0]
    else:
        del at[path[-1]]
    return frame


@every_socket
def test_a_broken_value_never_becomes_a_record_and_is_told(case: Case) -> None:
    known = case.known
    for frame in case.telling:
        untouched = read(case, frame, known)
        records = [item for item in untouched if not isinstance(item, Bad | None)]
        for broken in changes(frame):
            items = read(case, broken, known)
            left = [item for item in items if not isinstance(item, Bad | None)]
            assert all(item in records for item in left), broken
            told = [item for item in items if isinstance(item, Bad) and item not in untouched]
            assert len(left) == len(records) or told or case.socket.said(broken) is Said.NOTHING, broken
