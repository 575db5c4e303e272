"""What is asked for, given what is held."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.ingest.plan import Span, Stretch, Wanted, plan, widened, windows
from app.ingest.spec import Feed, Request, Rows, Window
from app.records import Instrument

NOW = datetime(2026, 3, 10, 12, 5, 20, tzinfo=UTC)
MINUTE, MINUTES_5, HOUR, DAY = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
BTC = Instrument("BTCUSDT", "BTC", "USDT", funding_interval_hours=8)
ETH = Instrument("ETHUSDT", "ETH", "USDT", funding_interval_hours=1)


def request(window: Window) -> Request:
    return Request("/")


def rows(answer: object, window: Window) -> Rows:
    return ()


def feed(dataset: str, scope: str = "instrument", **facts: object) -> Feed:
    return Feed(dataset, scope, request, object, rows, MINUTES_5, "", **facts)  # type: ignore[arg-type]


FUNDING = feed("funding", step=8 * HOUR, limit=200, history=True)
BULK = feed("funding", "market", limit=1000, history=True, keeps=DAY)
NEWEST = feed("funding", "market")
CANDLES = feed("candles_1m", step=MINUTE, limit=1000, history=True)
INTEREST = feed("open_interest", step=HOUR, limit=100, history=True, keeps=60 * DAY)
INTEREST_NOW = feed("open_interest", "market")


def at(hours: float) -> datetime:
    """So many hours before noon of the test day."""
    return NOW.replace(minute=0, second=0) - timedelta(hours=hours)


def planned(
    feeds: Sequence[Feed],
    held: dict[str, Span],
    contracts: Sequence[Instrument] = (BTC,),
    days: float | None = None,
    history_days: float = 30,
) -> list[Stretch]:
    return plan(feeds, held, contracts, Wanted(NOW, history_days, days))


def upto(*hours: float) -> dict[str, Span]:
    """Everything is held up to these hours before noon, of BTC and of ETH."""
    return {one.symbol: Span(at(24 * 30), at(h)) for one, h in zip((BTC, ETH), hours, strict=False)}


def test_nothing_held_asks_the_newest_page_first_then_history_backwards() -> None:
    newest, history = planned([CANDLES], {})
    assert (newest.live, newest.end, newest.end - newest.start <= 999 * MINUTE) == (True, NOW, True)
    assert (history.live, history.newest_first, history.end) == (False, True, newest.start)
    assert history.start == (NOW - 30 * DAY).replace(minute=5, second=0)
    pages = list(windows(history, {}))
    assert pages[0].end == newest.start
    assert pages[-1].start == history.start
    assert all(later.start == earlier.end for later, earlier in pairwise(pages))
    assert all(page.end - page.start <= 999 * MINUTE for page in pages)


def test_what_one_answer_holds_whole_is_asked_once() -> None:
    whole = replace(FUNDING, limit=None)
    [once] = planned([whole], {})
    assert (once.live, once.start, once.end) == (True, at(24 * 30), NOW)
    assert [(page.start, page.end) for page in windows(once, {})] == [(once.start, NOW)]


def test_a_page_never_comes_back_full() -> None:
    stretches = planned([CANDLES], {}, history_days=3) + planned([INTEREST], {})
    for stretch in stretches:
        step, limit = stretch.feed.step or HOUR, stretch.feed.limit or 0
        for window in windows(stretch, {}):
            first = -((datetime(1970, 1, 1, tzinfo=UTC) - window.start) // step)
            last = -((datetime(1970, 1, 1, tzinfo=UTC) - window.end) // step)
            assert last - first < limit


def test_history_goes_no_further_back_than_it_is_kept_or_the_contract_was_listed() -> None:
    young = replace(BTC, listed_at=at(50.5))
    (newest,) = planned([CANDLES], {}, [replace(BTC, listed_at=at(2))])
    assert newest.start == at(2)
    assert min(s.start for s in planned([CANDLES], {}, [young])) == at(50.5)
    assert min(s.start for s in planned([replace(CANDLES, keeps=5000 * MINUTE)], {})) > NOW - 5000 * MINUTE


def test_up_to_date_asks_nothing() -> None:
    assert planned([CANDLES], {"BTCUSDT": Span(at(24 * 30), NOW.replace(second=0) - MINUTE)}) == []
    assert planned([FUNDING], upto(4)) == []


def test_due_asks_from_the_last_row_on() -> None:
    (candles,) = planned([CANDLES], {"BTCUSDT": Span(at(24 * 30), at(0))})
    assert (candles.start, candles.end, candles.live) == (at(0), NOW, True)
    (funding,) = planned([FUNDING], upto(8))
    assert (funding.start, funding.end) == (at(8), NOW)


@pytest.mark.parametrize(("hours", "due"), [(0.0, False), (1.0, True)])
def test_an_hourly_contract_is_due_hourly(hours: float, due: bool) -> None:
    assert bool(planned([FUNDING], {"ETHUSDT": Span(at(720), at(hours))}, [ETH])) is due


def test_an_interval_not_told_may_be_an_hour() -> None:
    assert planned([FUNDING], upto(1), [replace(BTC, funding_interval_hours=None)])


def test_a_long_absence_is_filled_forwards_and_gives_way_to_others() -> None:
    away, here = planned([CANDLES], {"ETHUSDT": Span(at(720), at(200)), "BTCUSDT": Span(at(720), at(1))}, [ETH, BTC])[
        ::-1
    ]
    assert (here.instrument, here.live) == (BTC, True)
    assert (away.instrument, away.live, away.newest_first, away.start) == (ETH, False, False, at(200))
    pages = list(windows(away, {}))
    assert [page.start for page in pages] == sorted(page.start for page in pages)
    assert pages[-1].end == NOW


def test_an_absence_longer_than_history_is_filled_all_the_same() -> None:
    (stretch,) = planned([CANDLES], {"BTCUSDT": Span(at(24 * 9), at(24 * 9))}, history_days=2)
    assert stretch.start == at(24 * 9)


def test_history_missing_before_what_is_held_is_asked_backwards() -> None:
    (stretch,) = planned([CANDLES], {"BTCUSDT": Span(at(10), NOW)})
    assert (stretch.end, stretch.live, stretch.newest_first) == (at(10), False, True)


def test_days_are_asked_for_even_where_they_are_held() -> None:
    forwards, again = planned([FUNDING], upto(8), days=60)
    assert (forwards.start, forwards.end) == (at(8), NOW)
    assert (again.start, again.end) == ((NOW - 60 * DAY).replace(minute=0, second=0), at(8))


def test_a_delisted_contract_is_asked_up_to_its_end() -> None:
    gone = replace(BTC, active=False, delisted_at=at(100))
    assert max(stretch.end for stretch in planned([CANDLES], {}, [gone])) == at(100)
    assert planned([CANDLES], {}, [replace(gone, delisted_at=at(24 * 40))]) == []


def test_all_markets_at_once_since_the_oldest_that_is_due() -> None:
    (bulk,) = planned([BULK, FUNDING], upto(12, 2), [BTC, ETH])
    assert (bulk.instrument, bulk.start, bulk.end) == (None, at(12), NOW)
    assert planned([BULK, FUNDING], upto(4, 0), [BTC, ETH]) == []


def test_a_gap_longer_than_all_markets_keep_is_asked_one_by_one() -> None:
    bulk, single = planned([BULK, FUNDING], upto(30, 2), [BTC, ETH])
    assert (bulk.instrument, bulk.start) == (None, at(2))
    assert (single.instrument, single.start, single.live) == (BTC, at(30), True)


def test_the_newest_row_of_all_markets_is_enough_when_one_is_missing() -> None:
    assert [s.instrument for s in planned([NEWEST, FUNDING], upto(12))] == [None]
    assert [s.instrument for s in planned([NEWEST, FUNDING], upto(20))] == [None, BTC]


def test_samples_of_now_leave_history_to_the_instruments_own_feed() -> None:
    assert [s.instrument for s in planned([INTEREST_NOW, INTEREST], upto(0.4))] == [None]
    assert [s.instrument for s in planned([INTEREST_NOW, INTEREST], upto(0.6))] == [None, BTC]
    now, history = planned([INTEREST_NOW, INTEREST], {})
    assert (now.instrument, now.live) == (None, True)
    assert (history.instrument, history.live, history.newest_first) == (BTC, False, True)


def test_without_history_only_now_is_asked() -> None:
    (now,) = planned([feed("predicted_funding", "market")], {})
    assert (now.start, now.end) == (NOW, NOW)
    assert [dict(w.instruments) for w in windows(now, {"BTCUSDT": BTC})] == [{"BTCUSDT": BTC}]


def test_pages_of_settlements_follow_the_contracts_own_interval() -> None:
    lengths = {
        one.symbol: max(w.end - w.start for s in planned([FUNDING], {}, [one], days=900) for w in windows(s, {}))
        for one in (BTC, ETH)
    }
    assert lengths == {"BTCUSDT": 199 * 8 * HOUR, "ETHUSDT": 199 * HOUR}


def test_what_was_asked_for_in_vain_is_not_asked_again_but_for_the_newest() -> None:
    asked = Span(at(700), at(0))
    assert widened(None, asked, 10 * HOUR) == Span(at(700), at(10))
    assert widened(Span(at(300), at(200)), asked, 10 * HOUR) == Span(at(700), at(10))
    assert widened(Span(at(300), at(1)), asked, 10 * HOUR) == Span(at(700), at(1))
    assert widened(None, asked, 9000 * HOUR) == Span(at(700), at(700))


FUTURE = replace(BTC, symbol="BTC-27MAR26", kind="future", expires_at=NOW + 17 * DAY)
OPTION = replace(FUTURE, symbol="BTC-27MAR26-80000-C", kind="option", strike=80_000.0, option_type="call")
DATED = replace(CANDLES, kinds=("perp", "future"))
BOOKS = feed("depth", kinds=("perp", "future"))


def symbols(stretches: Sequence[Stretch]) -> set[str]:
    return {one.instrument.symbol for one in stretches if one.instrument}


def test_instruments_of_other_kinds_are_not_asked_for() -> None:
    contracts = (BTC, FUTURE, OPTION)
    assert symbols(planned([CANDLES], {}, contracts)) == {"BTCUSDT"}
    assert symbols(planned([DATED], {}, contracts)) == {"BTCUSDT", "BTC-27MAR26"}
    narrow = replace(DATED, tells_of=lambda one: one.symbol != "BTCUSDT")
    assert symbols(planned([narrow], {}, contracts)) == {"BTC-27MAR26"}


def test_how_each_instrument_stands_is_asked_of_those_that_have_not_expired() -> None:
    gone = replace(FUTURE, symbol="BTC-6MAR26", expires_at=NOW - 4 * DAY)
    found = planned([BOOKS], {}, (BTC, FUTURE, OPTION, gone))
    assert symbols(found) == {"BTCUSDT", "BTC-27MAR26"}
    assert {(one.start, one.end, one.live) for one in found} == {(NOW, NOW, True)}


def test_a_contract_is_asked_about_up_to_its_expiry_and_no_further() -> None:
    expired = replace(FUTURE, expires_at=at(4))
    first, *_ = planned([DATED], {FUTURE.symbol: Span(at(30), at(5))}, (expired,))
    assert (first.start, first.end) == (at(5), at(4))
    whole = Span(NOW - 30 * DAY, at(4) - MINUTE)
    assert planned([DATED], {FUTURE.symbol: whole}, (expired,)) == []
    assert all(one.end <= at(4) for one in planned([DATED], {}, (expired,)))


def test_the_newest_minute_of_an_index_is_due_when_it_is_over() -> None:
    index = replace(BTC, symbol="BTC-DVOL", kind="index")
    volatility = feed("volatility_index", step=MINUTE, limit=1000, history=True, kinds=("index",))
    held = Span(NOW - 31 * DAY, NOW.replace(second=0) - MINUTE)
    assert planned([volatility], {"BTC-DVOL": held}, (index,)) == []
    assert len(planned([volatility], {"BTC-DVOL": replace(held, last=held.last - MINUTE)}, (index,))) == 1
