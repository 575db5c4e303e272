"""What a frame holds, whatever is in it, and what is told of those that nobody could read."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.ingest.heard import hear
from app.ingest.socket import Known
from app.ingest.spec import Bad, Json, Message, Said, Socket, read_rows, tried
from app.ingest.telling import Telling
from app.ingest.topics import key_of
from app.ingest.wire import Num, Rows, Wire
from app.records import OpenInterest
from app.services import collectors, log
from app.services.log import Rejected

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
KNOWN = Known({}, ())


class Row(Wire):
    symbol: str
    number: Num


def divided(message: Message, known: Known) -> Rows:
    items: list[Any] = [{"symbol": "BTC", "number": message}, {"symbol": "ETH", "number": 4}]
    return read_rows(Row, items, lambda row: OpenInterest(row.symbol, NOW, 8.0 // row.number, None))


def socket(said: Said = Said.DATA, rows: Callable[[Message, Known], Rows] = divided) -> Socket:
    return Socket("x", "ws://x", "/x", (), lambda topics: [*topics], lambda _: said, rows, "https://x")


def test_a_row_that_cannot_be_computed_is_refused_and_costs_no_other() -> None:
    heard = hear(socket(), "0", KNOWN)
    assert [(bad.symbol, bad.code) for bad in heard.bad] == [("BTC", "unreadable")]
    assert [record.symbol for record in heard.records] == ["ETH"]
    assert isinstance(tried(lambda number: int(number), float("inf"), "BTC"), Bad)


@pytest.mark.parametrize("error", [ZeroDivisionError, OverflowError, KeyError])
def test_a_frame_that_cannot_be_read_is_put_aside(error: type[Exception]) -> None:
    def broken(message: Message, known: Known) -> Rows:
        raise error("no")

    assert hear(socket(rows=broken), "{}", KNOWN).unread


@pytest.mark.parametrize("said", [Said.DONE, Said.REFUSED])
def test_an_answer_that_names_its_topic_in_no_known_way_is_put_aside(said: Said) -> None:
    def about(message: Any) -> Json | None:
        return message["topic"]["name"]

    answers = replace(socket(said), about=about)
    assert hear(answers, {"topic": {"name": "a"}}, KNOWN).about == key_of("a")
    for message in ({}, {"topic": None}, "text"):
        heard = hear(answers, message, KNOWN)
        assert (heard.said, heard.about) == (Said.NOTHING, None)
        assert heard.unread


async def test_what_was_refused_is_told_again_where_the_database_did_not_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    telling, bad = Telling(None, "binance"), Bad("BTC", "unreadable", "no number")  # type: ignore[arg-type]
    told: list[Rejected] = []

    async def nothing(*_: Any) -> None:
        pass

    async def gone(*_: Any) -> None:
        telling.reject([bad])
        raise ConnectionResetError

    async def there(db: Any, source: str, dataset: str, rows: Iterable[Rejected]) -> None:
        told.extend(rows)
        telling.reject([bad])

    monkeypatch.setattr(collectors, "tell", nothing)
    telling.reject([bad])
    monkeypatch.setattr(log, "reject", gone)
    with pytest.raises(ConnectionResetError):
        await telling.tell((), NOW)
    monkeypatch.setattr(log, "reject", there)
    await telling.tell((), NOW)
    await telling.tell((), NOW)
    assert [row.count for row in told] == [2, 1], "none is lost, and none is told twice"
