"""What of many perpetuals is asked for now, and what is left to a back-fill."""

from datetime import UTC, datetime, timedelta

import pytest

from app.ingest import rounds
from app.ingest.plan import Span
from app.services.products import Listed
from app.services.reference import SeriesRef
from app.services.source_assets import one_each

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def listed(coin: str, exchange: str = "bybit", **facts: object) -> Listed:
    told = {"begins": None, "last": None, "open_interest": None, **facts}
    return Listed(exchange, f"{coin}USDT", coin, 1, SeriesRef(1, 1.0), **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hole", "begins", "first"),
    [
        (NOW - 6 * HOUR, None, NOW - 6 * HOUR),
        (None, None, None),
        (NOW - HOUR, None, NOW - HOUR),
        (NOW - 6 * HOUR, NOW - timedelta(minutes=90), NOW - 2 * HOUR),
        (NOW - 6 * HOUR, NOW + HOUR, None),
    ],
)
def test_the_newest_hours_that_are_missing(hole: datetime | None, begins: datetime | None, first: datetime) -> None:
    holes = {("bybit", "AUSDT"): hole} if hole else {}
    found = rounds._newest([listed("A", begins=begins)], holes, NOW, {})
    assert found == ({} if first is None else {first: {("bybit", "A")}})


def test_hours_that_did_not_come_are_asked_for_again_but_not_for_ever() -> None:
    asked, holes = {"bybit:AUSDT": Span(NOW - 6 * HOUR, NOW)}, {("bybit", "AUSDT"): NOW - 6 * HOUR}
    assert rounds._newest([listed("A")], holes, NOW, asked) == {NOW - 3 * HOUR: {("bybit", "A")}}


def test_a_gap_begins_where_history_is_wanted_from_or_the_last_hour_was() -> None:
    day = timedelta(days=1)
    known = [listed("A"), listed("B", last=NOW - 2 * day), listed("C", last=NOW - HOUR), listed("D", begins=NOW - day)]
    assert rounds._gaps(known, {}, NOW, 30) == {
        datetime(2026, 2, 8, tzinfo=UTC): {("bybit", "A")},
        NOW - 2 * day + HOUR: {("bybit", "B")},
        NOW - day: {("bybit", "D")},
    }
    before = {("bybit", "A"): NOW - 8 * HOUR, ("bybit", "B"): NOW - 3 * HOUR, ("bybit", "D"): NOW - 6 * HOUR}
    assert rounds._gaps(known, before, NOW, 30) == {NOW - 8 * HOUR: {("bybit", "A")}}


def test_the_most_traded_coins_on_each_of_their_exchanges() -> None:
    known = [
        listed("A", "okx", open_interest=5.0),
        listed("A", "bybit", open_interest=5.0),
        listed("B", open_interest=9.0),
        listed("C"),
    ]
    assert [one.coin for one in rounds.most_traded(known, 1, whole=False)] == ["A", "A"]
    assert [one.coin for one in rounds.most_traded(known, 2, whole=False)] == ["A", "A", "B"]
    assert rounds.most_traded(known, 1, whole=True) == known
    assert rounds.most_traded(known, None, whole=False) == known
    assert rounds.most_traded([listed("A"), listed("B")], 1, whole=False) == [listed("A"), listed("B")]


def test_one_id_of_a_kind_for_an_entity() -> None:
    entities = {("slug", "aave-v3"): 1, ("slug", "aave"): 1, ("slug", "lido"): 2, ("chain", "aave-chain"): 1}
    assert one_each(entities) == {("slug", "aave"): 1, ("slug", "lido"): 2, ("chain", "aave-chain"): 1}
