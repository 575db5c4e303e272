"""Velo: every column and kind of value, minutes that become hours, the plan, and what is known of real answers."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.ingest.sources.velo import CELLS, COINS, COLUMNS, ESSENTIAL, EXCHANGES, OTHERS, PERP_1H, SOURCE, pieces, signed
from app.ingest.spec import Aim, Bad, Window, get
from app.records import HOUR_COLUMNS, MetricValue, PerpHour
from tests.conftest import shared
from tests.replayed import velo as replayed

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SLUGS = {theirs: ours for ours, theirs in EXCHANGES.items()}
STORED = (  # Velo's column, its metric, our column
    ("open_price", "OPEN_PRICE", "open"),
    ("high_price", "HIGH_PRICE", "high"),
    ("low_price", "LOW_PRICE", "low"),
    ("close_price", "CLOSE_PRICE", "close"),
    ("coin_volume", "COIN_VOLUME", "volume_base"),
    ("dollar_volume", "DOLLAR_VOLUME", "volume_usd"),
    ("buy_trades", "BUY_TRADES", "buy_trades"),
    ("sell_trades", "SELL_TRADES", "sell_trades"),
    ("total_trades", "TOTAL_TRADES", "trades"),
    ("buy_coin_volume", "BUY_COIN_VOLUME", "buy_volume_base"),
    ("sell_coin_volume", "SELL_COIN_VOLUME", "sell_volume_base"),
    ("buy_dollar_volume", "BUY_DOLLAR_VOLUME", "buy_volume_usd"),
    ("sell_dollar_volume", "SELL_DOLLAR_VOLUME", "sell_volume_usd"),
    ("coin_open_interest_high", "COIN_OI_HIGH", "oi_base_high"),
    ("coin_open_interest_low", "COIN_OI_LOW", "oi_base_low"),
    ("coin_open_interest_close", "COIN_OI_CLOSE", "oi_base_close"),
    ("dollar_open_interest_high", "DOLLAR_OI_HIGH", "oi_usd_high"),
    ("dollar_open_interest_low", "DOLLAR_OI_LOW", "oi_usd_low"),
    ("dollar_open_interest_close", "DOLLAR_OI_CLOSE", "oi_usd_close"),
    ("funding_rate", "FUNDING_RATE", "funding_rate_8h"),
    ("funding_rate_avg", "FUNDING_RATE_AVG", "funding_rate_8h_mean"),
    ("premium", "PREMIUM", "premium"),
    ("buy_liquidations", "BUY_LIQUIDATIONS", "buy_liquidations"),
    ("sell_liquidations", "SELL_LIQUIDATIONS", "sell_liquidations"),
    ("buy_liquidations_coin_volume", "BUY_LIQ_COIN_VOL", "buy_liquidation_base"),
    ("sell_liquidations_coin_volume", "SELL_LIQ_COIN_VOL", "sell_liquidation_base"),
    ("liquidations_coin_volume", "LIQ_COIN_VOL", "liquidation_base"),
    ("buy_liquidations_dollar_volume", "BUY_LIQ_DOLLAR_VOL", "buy_liquidation_usd"),
    ("sell_liquidations_dollar_volume", "SELL_LIQ_DOLLAR_VOL", "sell_liquidation_usd"),
    ("liquidations_dollar_volume", "LIQ_DOLLAR_VOL", "liquidation_usd"),
)
TRADING = {theirs for theirs, _, _ in STORED[:13]}
SIGNED = ("funding_rate", "funding_rate_avg", "premium")
NUMBERS = {column: 0.5 + number / 64 for number, (column, _, _) in enumerate(STORED)} | {
    "high_price": 9,
    "low_price": 0,
}


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def window(columns: Sequence[str], **more: Any) -> Window:
    asked: dict[str, Any] = {"subjects": ("FOO",), "exchanges": ("binance",), **more}
    return Window(NOON, NOON + HOUR, columns=tuple(columns), **asked)


def line(*cells: object, time: datetime = NOON, product: str = "FOOUSDT") -> str:
    return f"binance-futures,FOO,{product},{ms(time)},{','.join(map(str, cells))}"


def table(columns: Sequence[str], *lines: str) -> str:
    return "\n".join([f"exchange,coin,product,time,{','.join(columns)}", *lines])


def read(body: str, asked: Window) -> list[Any]:
    return list(PERP_1H.rows(TypeAdapter(PERP_1H.answer).validate_python(body), asked))


def told(columns: Sequence[str], *lines: str) -> Any:
    """The only item of an answer."""
    [item] = read(table(columns, *lines), window(columns))
    return item


# What is told.


def test_all_thirty_are_stored_each_in_its_column() -> None:
    item = told([*NUMBERS], line(*NUMBERS.values()))
    assert item == PerpHour("binance", "FOOUSDT", NOON, {ours: NUMBERS[theirs] for theirs, _, ours in STORED})
    assert sorted(item.values) == sorted(HOUR_COLUMNS)


def test_the_metrics_are_those_of_the_notes() -> None:
    assert [(theirs, column.metric.name, column.metric.column) for theirs, column in COLUMNS.items()] == list(STORED)
    assert SOURCE.metrics == tuple(column.metric for column in COLUMNS.values())


def test_metrics_shared_with_other_sources() -> None:
    shared_names = {metric.name: metric.canonical for metric in SOURCE.metrics if metric.name != metric.canonical}
    assert shared_names == {
        "CLOSE_PRICE": "PRICE",
        "DOLLAR_OI_CLOSE": "OPEN_INTEREST",
        "DOLLAR_VOLUME": "TRADING_VOLUME_24H",
    }
    [volume] = [metric for metric in SOURCE.metrics if metric.name == "DOLLAR_VOLUME"]
    assert volume.covers == "1h"
    assert "one hour" in volume.about


def test_facts_of_the_metrics() -> None:
    for theirs, column in COLUMNS.items():
        metric = column.metric
        assert metric.signed == (theirs in SIGNED)
        assert metric.domain == ("trading" if theirs in TRADING else "derivative")
        assert metric.granularity == "hourly"
        closes = theirs.endswith("close") or theirs in ("open_price", "close_price", "funding_rate", "premium")
        assert metric.covers == ("instant" if closes else "1h")
        assert metric.unit or theirs == "premium"


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("nothing", ["", "null", "NaN", "nan", "undefined", "NULL", "Undefined"])
def test_what_is_not_told_is_left_out(column: str, nothing: str) -> None:
    other = "close_price" if column != "close_price" else "dollar_volume"
    item = told([column, other], line(nothing, 2.5))
    assert item.values == {COLUMNS[other].metric.column: 2.5}


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("wrong", ["n/a", "-", "1,5", "1_000", "0x10", "inf", "-Infinity", "one", "1e", "٣", "--1"])
def test_what_is_no_number_is_bad(column: str, wrong: str) -> None:
    item = told([column], line(f'"{wrong}"'))
    assert isinstance(item, Bad)
    assert (item.symbol, item.code) == ("FOOUSDT", "unreadable")
    assert column in item.reason


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("wrong", ["n/a", "-1e19", "1e19", "1e999"])
def test_a_bad_column_costs_no_other(column: str, wrong: str) -> None:
    numbers = {**NUMBERS, column: wrong}
    bad, hour = read(table([*numbers], line(*numbers.values())), window([*numbers]))
    assert isinstance(bad, Bad)
    assert bad.symbol == "FOOUSDT"
    assert bad.reason.startswith(column)
    assert hour.values == {ours: NUMBERS[theirs] for theirs, _, ours in STORED if theirs != column}


def test_each_bad_column_is_told_of() -> None:
    numbers = {**NUMBERS, "premium": "n/a", "coin_volume": "-1", "funding_rate": "1.5"}
    *refused, hour = read(table([*numbers], line(*numbers.values())), window([*numbers]))
    assert [(bad.symbol, bad.code, bad.reason.split()[0].strip(":")) for bad in refused] == [
        ("FOOUSDT", "negative", "coin_volume"),
        ("FOOUSDT", "rate_out_of_range", "funding_rate"),
        ("FOOUSDT", "unreadable", "premium"),
    ]
    assert len(hour.values) == 27


@pytest.mark.parametrize("column", NUMBERS)
def test_only_rates_and_premium_may_be_negative(column: str) -> None:
    item = told([column], line("-0.25"))
    if column in SIGNED:
        assert list(item.values.values()) == [-0.25]
    else:
        assert (item.symbol, item.code) == ("FOOUSDT", "negative")


@pytest.mark.parametrize("column", NUMBERS)
def test_zero_stays_zero(column: str) -> None:
    assert list(told([column], line("0")).values.values()) == [0]


@pytest.mark.parametrize("column", NUMBERS)
def test_what_is_too_large_to_be_true_is_bad(column: str) -> None:
    assert isinstance(told([column], line("1e999")), Bad)


@pytest.mark.parametrize(("text", "number"), [("1e-05", 1e-5), ("+3", 3), (".5", 0.5), ("7.", 7), (" 2 ", 2)])
def test_numbers_as_they_may_be_written(text: str, number: float) -> None:
    assert told(["close_price"], line(text)).values == {"close": number}


def test_a_premium_in_dollars_costs_no_hour() -> None:
    assert told(["premium", "close_price"], line("-31.5", 80_000)).values == {"premium": -31.5, "close": 80_000}


def test_an_hour_of_which_nothing_is_told_is_none() -> None:
    assert told(["close_price", "premium"], line("", "NaN")) is None


def test_a_high_below_the_close_costs_the_four_prices() -> None:
    columns = ("open_price", "high_price", "low_price", "close_price")
    assert told(columns, line(5, 6, 4, 7)).code == "high_low"
    bad, hour = read(table((*columns, "coin_volume"), line(5, 6, 4, 7, 2.5)), window((*columns, "coin_volume")))
    assert (bad.symbol, bad.code) == ("FOOUSDT", "high_low")
    assert hour == PerpHour("binance", "FOOUSDT", NOON, {"volume_base": 2.5})


def test_times_that_cannot_be() -> None:
    for time, code in ((1709294400, "time_out_of_range"), (9999999999999, "time_in_future"), ("soon", "unreadable")):
        item = told(["close_price"], f"binance-futures,FOO,FOOUSDT,{time},80.5")
        assert (item.symbol, item.code) == ("FOOUSDT", code)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_ends_of_lines(ends: str) -> None:
    body = table(["close_price"], line(1), line(2, product="FOOPERP"))
    for whole in (body, body + "\n"):
        items = read(whole.replace("\n", ends), window(["close_price"]))
        assert [(item.symbol, item.values) for item in items] == [("FOOUSDT", {"close": 1}), ("FOOPERP", {"close": 2})]


@pytest.mark.parametrize("body", ["", "\n", "exchange,coin,product,time,close_price\n"])
def test_no_rows_are_an_answer(body: str) -> None:
    assert read(body, window(["close_price"])) == []


def test_of_two_that_say_the_same_the_later_counts() -> None:
    assert told(["close_price"], line(1), line(2)).values == {"close": 2}


def test_a_column_nobody_asked_for_is_stored_too() -> None:
    columns = ["close_price", "open_interest_delta", "mood", ""]
    hour, delta, mood = read(table(columns, line(80.5, -12.5, "good", 7)), window(["close_price"]))
    assert hour.values == {"close": 80.5}
    assert isinstance(delta, MetricValue)
    assert (delta.metric.name, delta.metric.canonical) == ("OPEN_INTEREST_DELTA", "OPEN_INTEREST_DELTA")
    assert (delta.metric.domain, delta.metric.granularity, delta.metric.signed) == ("derivative", "hourly", True)
    assert (delta.id_type, delta.id, delta.exchange, delta.time, delta.value) == ("coin", "FOO", "binance", NOON, -12.5)
    assert (mood.symbol, mood.code) == ("FOOUSDT", "unreadable")


def test_a_known_column_nobody_asked_for_goes_to_its_place() -> None:
    [item] = read(table(["close_price", "premium"], line(80.5, 0.001)), window(["close_price"]))
    assert item.values == {"close": 80.5, "premium": 0.001}


# Minutes.


def test_minutes_become_their_hour() -> None:
    columns = [*NUMBERS]
    minutes = {  # of three minutes, the second tells little
        "open_price": ("80", "", "82"),
        "high_price": ("85", "NaN", "83"),
        "low_price": ("79", "null", "78.5"),
        "close_price": ("81", "", "82.5"),
        "coin_volume": ("1.5", "", "2.25"),
        "buy_trades": ("3", "4", "0"),
        "coin_open_interest_high": ("11", "", "12"),
        "coin_open_interest_low": ("9", "", "10"),
        "dollar_open_interest_close": ("900", "910", ""),
        "funding_rate": ("0.0001", "", "0.0003"),
        "funding_rate_avg": ("0.0001", "", "0.0003"),
        "premium": ("-0.5", "0.25", ""),
        "liquidations_dollar_volume": ("100", "", "0.5"),
        "buy_liquidations": ("", "", ""),
    }
    lines = [line(*(minutes.get(name, ("",) * 3)[at] for name in columns), time=NOON + at * MINUTE) for at in range(3)]
    for order in (lines, lines[::-1]):
        item = told(columns, *order)
        assert item.time == NOON
        assert item.values == pytest.approx(
            {
                "open": 80,
                "high": 85,
                "low": 78.5,
                "close": 82.5,
                "volume_base": 3.75,
                "buy_trades": 7,
                "oi_base_high": 12,
                "oi_base_low": 9,
                "oi_usd_close": 910,
                "funding_rate_8h": 0.0003,
                "funding_rate_8h_mean": 0.0002,
                "premium": 0.25,
                "liquidation_usd": 100.5,
            }
        )


def test_quarters_of_two_hours_and_two_products() -> None:
    times = [NOON + quarter * 15 * MINUTE for quarter in range(8)]
    lines = [line(1, time=time) for time in times] + [line(10, time=time, product="FOOPERP") for time in times[4:]]
    items = read(table(["coin_volume"], *lines), window(["coin_volume"]))
    assert [(item.symbol, item.time, item.values["volume_base"]) for item in items] == [
        ("FOOUSDT", NOON, 4),
        ("FOOUSDT", NOON + HOUR, 4),
        ("FOOPERP", NOON + HOUR, 40),
    ]


@pytest.mark.parametrize(("wrong", "code"), [("n/a", "unreadable"), ("-1", "negative")])
def test_a_column_with_a_bad_minute_is_left_out_of_its_hour(wrong: str, code: str) -> None:
    item = told(["coin_volume"], line(5), line(wrong, time=NOON + MINUTE))
    assert (item.symbol, item.code) == ("FOOUSDT", code)
    columns = ["coin_volume", "close_price"]
    lines = [line(5, 80), line(wrong, 81, time=NOON + MINUTE), line(6, 82, time=NOON + HOUR)]
    bad, hour, next_hour = read(table(columns, *lines), window(columns))
    assert (bad.symbol, bad.code) == ("FOOUSDT", code)
    assert (hour.time, hour.values) == (NOON, {"close": 81})
    assert (next_hour.time, next_hour.values) == (NOON + HOUR, {"volume_base": 6, "close": 82})


def test_a_sum_of_minutes_that_is_too_large_costs_its_column() -> None:
    columns = ["coin_volume", "close_price"]
    bad, hour = read(table(columns, line(9e17, 80), line(9e17, 81, time=NOON + MINUTE)), window(columns))
    assert (bad.symbol, bad.code) == ("FOOUSDT", "quantity_out_of_range")
    assert hour.values == {"close": 81}


# Asking.


def test_the_key_is_the_password_of_api() -> None:
    request = signed(get("/api/v1/status", costs={"requests": 1}), "verysecret")
    assert dict(request.headers)["Authorization"] == "Basic YXBpOnZlcnlzZWNyZXQ="
    assert "secret" not in f"{request.path} {request.params}"


def aim(hours: int, pairs: frozenset[tuple[str, str]]) -> Aim:
    return Aim(NOON - hours * HOUR, NOON, live=hours <= 6, pairs=pairs, keyed=True)


def every_pair() -> frozenset[tuple[str, str]]:
    return frozenset((SLUGS[market.exchange], market.coin) for market in replayed.listing())


def planned(asked: Window) -> int:
    return (asked.end - asked.start) // HOUR * len(asked.exchanges) * len(asked.subjects) * len(asked.columns)


@pytest.mark.parametrize("hours", [1, 2, 6, 7, 24, 720])
def test_a_plan_covers_all_once_and_keeps_to_the_limits(hours: int) -> None:
    pairs, plan = every_pair(), list(pieces(aim(hours, every_pair())))
    covered = defaultdict[tuple[str, str, str], list[tuple[datetime, datetime]]](list)
    for asked in plan:
        assert planned(asked) <= CELLS
        assert len(asked.subjects) <= COINS
        assert sum(len(coin) + 3 for coin in asked.subjects) < 8000
        for exchange, coin in pairs & {(exchange, coin) for exchange in asked.exchanges for coin in asked.subjects}:
            for column in asked.columns:
                covered[exchange, coin, column].append((asked.start, asked.end))
    assert len(covered) == len(pairs) * len(COLUMNS)
    for spans in {tuple(sorted(spans)) for spans in covered.values()}:
        assert (spans[0][0], spans[-1][1]) == (NOON - hours * HOUR, NOON)
        assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_the_newest_hour_of_all_pairs_takes_two_requests() -> None:
    plan = list(pieces(aim(1, every_pair())))
    assert len(plan) == math.ceil(1069 * 30 / CELLS) == 2
    assert {asked.columns for asked in plan} == {tuple(COLUMNS)}


def test_of_thirty_days_the_essential_columns_come_first() -> None:
    plan = [asked.columns for asked in pieces(aim(720, every_pair()))]
    first = plan.count(ESSENTIAL)
    assert plan == [ESSENTIAL] * first + [OTHERS] * (len(plan) - first)
    assert [COLUMNS[name].metric.name for name in ESSENTIAL] == [
        "CLOSE_PRICE",
        "DOLLAR_VOLUME",
        "DOLLAR_OI_CLOSE",
        "FUNDING_RATE",
        "LIQ_DOLLAR_VOL",
    ]
    assert set(ESSENTIAL) | set(OTHERS) == set(COLUMNS)
    for columns, count in ((ESSENTIAL, first), (OTHERS, len(plan) - first)):
        assert count <= 1.1 * math.ceil(1069 * 720 * len(columns) / CELLS)


def test_only_full_hours_and_our_exchanges_are_asked_for() -> None:
    half = NOON + 30 * MINUTE
    pairs = frozenset({("binance", "FOO"), ("deribit", "FOO")})
    [asked] = pieces(Aim(half, half + 2 * HOUR, live=True, pairs=pairs))
    assert (asked.start, asked.end) == (NOON, NOON + 2 * HOUR)
    assert asked.exchanges == ("binance",)
    assert list(pieces(Aim(half, half, live=True, pairs=pairs))) == []


# What is known of real answers.


def test_the_official_example() -> None:
    body = (shared("fixtures/velo") / "rows_futures_close_price_2026-01-01.csv").read_text()
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    asked = Window(begin, begin + HOUR, subjects=("BTC", "ETH"), exchanges=("binance",), columns=("close_price",))
    rows = list(csv.DictReader(body.splitlines()))
    assert rows
    assert read(body, asked) == [
        PerpHour("binance", row["product"], begin, {"close": float(row["close_price"])}) for row in rows
    ]


def test_caps_are_no_rows() -> None:
    body = (shared("fixtures/velo") / "caps_BTC_2026-07-08.csv").read_text()
    with pytest.raises(ValidationError, match="header"):
        read(body, window(["close_price"]))


def test_captured_rates_are_fractions_of_eight_hours_everywhere() -> None:
    """Hyperliquid settles hourly, yet its rate equals the others': so it is per 8 hours, and we do not scale it."""
    body = json.loads((shared("fixtures/velo") / "ws_funding_rate_BTC_2026-09-21.json").read_text())
    rates = body["channels"]["realtime_BTC#funding_rate#Rate (%)#Aggregated"]["rollover"]["d"]
    assert {rates[f"realtime_{exchange}"] for exchange in EXCHANGES.values()} == {0.0001}
    asked = window(["funding_rate"], exchanges=tuple(EXCHANGES), subjects=("BTC",))
    lines = [f"{name},BTC,BTCUSDT,{ms(NOON)},{rates[f'realtime_{name}']}" for name in EXCHANGES.values()]
    items = read(table(["funding_rate"], *lines), asked)
    assert [(item.exchange, item.values["funding_rate_8h"]) for item in items] == [(slug, 0.0001) for slug in EXCHANGES]
