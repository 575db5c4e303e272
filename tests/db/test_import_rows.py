"""What rows of each dataset become, and which are refused by which rule."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from app.db import Database
from app.services.importing import (
    Answer,
    BadOption,
    BrokenBody,
    TooLarge,
    Unsupported,
    import_files,
    import_rows,
    options,
    pair,
)
from tests.db.importing import WHEN, Row, bring, candle, codes, contracts, funding, stored

AT = datetime(2025, 8, 21, tzinfo=UTC)
SOON = datetime.now(UTC) + timedelta(hours=1)


async def test_of_one_fact_twice_the_later_wins_and_repeating_changes_nothing(clean_database: Database) -> None:
    rows = [funding(rate=rate) for rate in (0.1, 0.2, 0.3)]
    for inserted, unchanged in ((1, 2), (0, 3)):
        answer = await bring(clean_database, "funding", *rows)
        assert (answer.inserted, answer.updated, answer.unchanged) == (inserted, 0, unchanged)
    assert await stored(clean_database, "funding", "rate") == [("BTCUSDT", "import", 0.3)]
    assert (await bring(clean_database, "funding", funding(rate=0.4))).updated == 1


@pytest.mark.parametrize("dataset", ["funding", "open-interest"])
@pytest.mark.parametrize("order", ["rising", "mixed"])
async def test_rows_in_any_order_and_batches_are_the_last_told(
    clean_database: Database, dataset: str, order: str
) -> None:
    chance = random.Random(order)
    hours = range(120) if order == "rising" else [chance.randrange(60) for _ in range(120)]
    rows = [(chance.choice(("BTC", "ETH")), 1_755_734_400 + 3600 * hour, n / 1e4) for n, hour in enumerate(hours)]
    told = [{"exchange": "x", "asset": asset, "time": time, "rate": n, "oi_usd": n} for asset, time, n in rows]
    last = {(asset, AT + timedelta(seconds=time - 1_755_734_400)): n for asset, time, n in rows}
    for inserted in (len(last), 0):
        batches = [pa.RecordBatch.from_pylist(told[at : at + 7]) for at in range(0, len(told), 7)]
        answer = await import_rows(clean_database, dataset, batches)
        assert (answer.inserted, answer.updated, answer.unchanged) == (inserted, 0, len(told) - inserted)
    value = "rate" if dataset == "funding" else "oi_usd"
    kept = await stored(clean_database, dataset.replace("-", "_"), "ts", value)
    assert {(row[0], row[2]): row[3] for row in kept} == last


async def test_good_rows_are_kept_and_bad_ones_named(clean_database: Database) -> None:
    rows = [funding(), funding(rate="x"), funding(time="x"), funding(instrument="ETHUSDT", asset="ETH")]
    answer = await bring(clean_database, "funding", *rows)
    assert (answer.received, answer.inserted) == (4, 2)
    assert answer.document()["rejected"] == [
        {"row": 1, "code": "bad_number", "reason": "`rate` is `x`, not a number"},
        {"row": 2, "code": "bad_time", "reason": "`time` is `x`, not a time: " + TIMES},
    ]


TIMES = "RFC 3339, a date, or epoch seconds or milliseconds"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"time": None}, "no_time"),
        ({"time": ""}, "no_time"),
        ({"time": "2025-13-01"}, "bad_time"),
        ({"time": True}, "bad_time"),
        ({"time": 1_755_763_200_000_000}, "bad_time"),
        ({"time": "2008-12-31"}, "time_out_of_range"),
        ({"time": 0}, "time_out_of_range"),
        ({"time": SOON.isoformat()}, "time_in_future"),
        ({"rate": None}, "no_value"),
        ({"rate": True}, "bad_number"),
        ({"rate": [1]}, "bad_number"),
        ({"rate": float("nan")}, "not_finite"),
        ({"rate": float("inf")}, "not_finite"),
        ({"rate": "-Infinity"}, "not_finite"),
        ({"rate": 1.01}, "rate_out_of_range"),
        ({"rate": "-1.01"}, "rate_out_of_range"),
        ({"kind": "guessed"}, "bad_kind"),
        ({"interval_hours": 0}, "interval"),
        ({"interval_hours": -8}, "interval"),
        ({"interval_hours": "8h"}, "bad_number"),
        ({"interval_known": "sure"}, "bad_interval_known"),
        ({"known_at": "x"}, "bad_time"),
        ({"known_at": SOON.isoformat()}, "time_in_future"),
        ({"kind": "predicted", "for_time": (SOON + timedelta(days=40)).isoformat()}, "time_in_future"),
    ],
)
async def test_funding_that_cannot_be_true(clean_database: Database, fields: Row, code: str) -> None:
    assert codes(await bring(clean_database, "funding", funding(**fields), funding())) == [(0, code)]


async def test_funding_as_it_is_told(clean_database: Database) -> None:
    rows = [
        funding(rate="1e-4", interval_hours=4),
        funding(time=1_755_763_200, interval_hours="8", interval_known="assumed", known_at="2025-09-01"),
    ]
    assert codes(await bring(clean_database, "funding", *rows)) == []
    kept = await stored(clean_database, "funding", "ts", "rate", "interval_hours", "interval_known", "known_at")
    assert [row[2:6] for row in kept] == [(AT, 0.0001, 4, 2), (AT + timedelta(hours=8), 0.0001, 8, 0)]
    assert kept[1][6] == datetime(2025, 9, 1, tzinfo=UTC)


async def test_predicted_funding_is_kept_apart(clean_database: Database) -> None:
    rows = [
        funding(kind="predicted", time="2025-08-21T07:59:31.5Z", for_time="2025-08-21T08:00:00Z", rate=0.2),
        funding(kind="Settled", time="2025-08-21T08:00:00Z"),
        funding(kind="predicted", for_time=None, interval_hours=8),
    ]
    for inserted in (3, 0):
        assert (await bring(clean_database, "funding", *rows)).inserted == inserted
    assert len(await stored(clean_database, "funding")) == 1
    columns = ("rate", "interval_hours", "for_time")
    assert await stored(clean_database, "predicted_funding", *columns) == [
        ("BTCUSDT", "import", 0.0001, 8, None),
        ("BTCUSDT", "import", 0.2, None, AT + timedelta(hours=8)),
    ]


async def test_rows_of_get_come_back_as_they_were(clean_database: Database) -> None:
    row = funding(rate=0.0008, rate_native=0.0001, interval_hours=1, interval_known="inferred", kind="settled")
    answer = await bring(clean_database, "funding", row)
    assert codes(answer) == []
    assert "`rate_native` was stored" in answer.notices[0]
    assert await stored(clean_database, "funding", "rate", "interval_known") == [("BTCUSDT", "import", 0.0001, 1)]


async def test_a_column_mapped_to_rate_wins_over_rate_native(clean_database: Database) -> None:
    row = funding(rate=None, paid=0.3, rate_native=0.1)
    answer = await bring(clean_database, "funding", row, columns={"paid": "rate"})
    assert "column `rate_native` was ignored" in answer.notices
    assert await stored(clean_database, "funding", "rate") == [("BTCUSDT", "import", 0.3)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "no_value"),
        ({"oi_base": None, "oi_usd": ""}, "no_value"),
        ({"oi_usd": -1}, "negative"),
        ({"oi_base": 1, "oi_usd": float("nan")}, "not_finite"),
        ({"oi_base": "1e19"}, "quantity_out_of_range"),
        ({"oi_usd": 1, "time": None}, "no_time"),
    ],
)
async def test_open_interest_that_cannot_be_true(clean_database: Database, fields: Row, code: str) -> None:
    row = {"time": WHEN, "exchange": "okx", "asset": "BTC", **fields}
    assert codes(await bring(clean_database, "open-interest", row)) == [(0, code)]


async def test_open_interest_has_coins_usd_or_both(clean_database: Database) -> None:
    told = ({"oi_base": 0}, {"oi_usd": "5.5"}, {"oi_base": 2, "oi_usd": 9})
    rows = [{"time": 1_755_734_400 + n, "exchange": "okx", "asset": "BTC", **row} for n, row in enumerate(told)]
    assert (await bring(clean_database, "open-interest", *rows)).inserted == 3
    kept = await stored(clean_database, "open_interest", "oi_base", "oi_usd")
    assert [row[2:] for row in kept] == [(0, None), (None, 5.5), (2, 9)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"open": None}, "no_value"),
        ({"close": ""}, "no_value"),
        ({"low": -1}, "negative"),
        ({"volume_usd": -1}, "negative"),
        ({"trades": "many"}, "bad_number"),
        ({"high": 9}, "high_low"),
        ({"low": 11}, "high_low"),
        ({"time": "2025-08-21T00:00:30Z"}, "misaligned_time"),
        ({"time": "2025-08-21T00:30:00Z", "interval": "1h"}, "misaligned_time"),
        ({"time": SOON.replace(second=0, microsecond=0).isoformat()}, "time_in_future"),
        ({"interval": "5m"}, "unsupported_interval"),
        ({"interval": "1M"}, "unsupported_interval"),
    ],
)
async def test_candles_that_cannot_be_true(clean_database: Database, fields: Row, code: str) -> None:
    assert codes(await bring(clean_database, "candles", candle(**fields), candle())) == [(0, code)]


async def test_a_candle_that_is_not_over_is_refused(clean_database: Database) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    rows = [candle(time=(minute - timedelta(minutes=ago)).isoformat()) for ago in (5, 0)]
    rows.append(candle(time=minute.replace(minute=0).isoformat(), interval="1h"))
    answer = await bring(clean_database, "candles", *rows)
    assert answer.inserted == 1
    assert codes(answer)[-1] == (2, "unfinished")


async def test_candles_of_minutes_and_hours(clean_database: Database) -> None:
    rows = [candle(volume_base=3, trades=7), candle(interval="1h", close=9, low=9)]
    rows.append(candle(interval="1m", time="2019-01-01"))
    for inserted in (3, 0):
        assert (await bring(clean_database, "candles", *rows)).inserted == inserted
    assert [row[2:] for row in await stored(clean_database, "perp_1m", "close", "volume_base", "trades")] == [
        (10, None, None), (10, 3, 7),
    ]  # fmt: skip
    assert [row[2:] for row in await stored(clean_database, "perp_1h", "close")] == [(9,)]


async def test_the_complete_of_get_is_no_unknown_column(clean_database: Database) -> None:
    answer = await bring(clean_database, "candles", candle(complete=True, volume=5))
    assert answer.notices[:1] == ("column `volume` was ignored; map it to `volume_base` if it is that",)
    assert not any("complete" in notice for notice in answer.notices)


async def test_a_thousand_coins_in_the_assets_word_are_the_unit_of_the_row(clean_database: Database) -> None:
    words = (("kPEPE", None), ("1000PEPE", None), ("PEPE", None), (None, "kPEPE"))
    rows = [
        candle(exchange="hyperliquid", asset=asset, instrument=symbol, time=1_755_734_400 + 60 * n, volume_base=2,
               volume_usd=3, buy_volume_base=1, trades=4)
        for n, (asset, symbol) in enumerate(words)
    ]  # fmt: skip
    assert codes(await bring(clean_database, "candles", *rows)) == []
    assert await contracts(clean_database) == [("hyperliquid", "kPEPE", "perp", "pepe", 1000)]
    kept = await stored(clean_database, "perp_1m", "open", "volume_base", "buy_volume_base", "volume_usd", "trades")
    assert [row[2:] for row in kept] == [(0.01, 2000, 1000, 3, 4)] * 2 + [(10, 2, 1, 3, 4)] * 2


async def test_the_unit_leaves_funding_and_usd_alone(clean_database: Database) -> None:
    row = {"time": WHEN, "exchange": "x", "asset": "1000PEPE", "rate": 0.5, "oi_base": 2, "oi_usd": 3}
    await bring(clean_database, "funding", row)
    await bring(clean_database, "open-interest", row)
    assert await stored(clean_database, "funding", "rate") == [("1000PEPE", "import", 0.5)]
    assert await stored(clean_database, "open_interest", "oi_base", "oi_usd") == [("1000PEPE", "import", 2000, 3)]


async def test_columns_are_renamed_and_fixed(clean_database: Database) -> None:
    row = {"ts": 1_755_734_400_000, "time": "never", "Coin": "BTC", "exchange": "bybit", "funding_rate": 0.5, "x": 1}
    answer = await bring(
        clean_database,
        "funding",
        row,
        columns={"ts": "time", "coin": "asset", "funding_rate": "rate", "gone": "known_at"},
        values={"exchange": "okx", "interval_hours": "4"},
    )
    assert codes(answer) == []
    assert await contracts(clean_database) == [("okx", "BTC", "perp", "bitcoin", 1)]
    assert await stored(clean_database, "funding", "ts", "interval_hours") == [("BTC", "import", AT, 4)]
    assert list(answer.notices[:4]) == [
        "column `time` was ignored",
        "column `exchange` was ignored",
        "column `x` was ignored",
        "there is no column `gone` to map",
    ]


async def test_many_unknown_columns_are_counted(clean_database: Database) -> None:
    answer = await bring(clean_database, "funding", funding(**{f"x{n}": n for n in range(80)}))
    assert "30 more columns were ignored" in answer.notices


@pytest.mark.parametrize(
    ("told", "parameter"),
    [
        ({"columns": [("ts", "tiem")]}, "map"),
        ({"columns": [("ts", "time"), ("date", "time")]}, "map"),
        ({"values": [("venue", "okx")]}, "set"),
        ({"values": [("exchange", "okx"), ("exchange", "okx")]}, "set"),
        ({"columns": [("venue", "exchange")], "values": [("exchange", "okx")]}, "set"),
        ({"source": "two words"}, "source"),
    ],
)
def test_options_that_cannot_be_followed(told: dict[str, list[tuple[str, str]]], parameter: str) -> None:
    with pytest.raises(BadOption) as caught:
        options("funding", **told)  # type: ignore[arg-type]
    assert caught.value.parameter == parameter


def test_pairs_of_words() -> None:
    assert pair("map", "a:b:time") == ("a:b", "time")
    assert pair("set", "instrument:xyz:NVDA") == ("instrument", "xyz:NVDA")
    assert pair("map", "rate_8h:") == ("rate_8h", "")
    for parameter, word in (("map", "time"), ("map", ":time"), ("map", ""), ("set", "time:")):
        with pytest.raises(BadOption):
            pair(parameter, word)


async def test_a_column_mapped_to_nothing_is_left_out(clean_database: Database) -> None:
    row = funding(interval_hours="never", known_at=None)
    answer = await bring(clean_database, "funding", row, columns={"interval_hours": ""})
    assert (codes(answer), answer.notices[0]) == ([], "column `interval_hours` was ignored")


async def test_a_dataset_that_is_none(clean_database: Database) -> None:
    with pytest.raises(BadOption, match="funding, open-interest, candles"):
        await import_rows(clean_database, "fundng", [])


async def test_an_empty_body(clean_database: Database) -> None:
    assert await bring(clean_database, "funding") == Answer()


async def test_the_first_thousand_refused_rows_are_named_and_all_counted(clean_database: Database) -> None:
    batches = [pa.RecordBatch.from_pylist([dict(funding(rate="x" if n else "0.1")) for n in range(800)])] * 2
    answer = await import_rows(clean_database, "funding", batches)
    assert (answer.rejected_count, len(answer.rejected), answer.inserted, answer.unchanged) == (1598, 1000, 1, 1)
    assert [reject.row for reject in answer.rejected] == [n for n in range(1002) if n not in (0, 800)]


async def test_batches_may_come_asynchronously(clean_database: Database) -> None:
    async def batches() -> AsyncIterator[pa.RecordBatch]:
        for hours in (0, 8):
            yield pa.RecordBatch.from_pylist([dict(funding(time=AT + timedelta(hours=hours)))])
        yield pa.RecordBatch.from_pylist([dict(funding(rate="x"))])

    answer = await import_rows(clean_database, "funding", batches())
    assert (answer.inserted, codes(answer)) == (2, [(2, "bad_number")])


async def test_when_reading_fails_nothing_is_kept(clean_database: Database, tmp_path: Path) -> None:
    lines = "".join(f"{1_755_734_400 + n * 60},okx,BTC,5\n" for n in range(200_000))
    path = tmp_path / "rows.csv"
    path.write_text("time,exchange,asset,oi_usd\n" + lines + '"' * 1001 + "x" * (17 << 20))
    with pytest.raises(BrokenBody, match=r"rows\.csv: from byte \d+ on"):
        await import_files(clean_database, "open-interest", [path])
    with pytest.raises(TooLarge, match="100,000 rows"):
        await import_files(clean_database, "open-interest", [path], options("open-interest", max_rows=100_000))
    assert await contracts(clean_database) == []
    assert await clean_database.reads.fetchval("select count(*) from open_interest") == 0


async def test_files_are_added_up(clean_database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "funding" / "exchange=okx" / "month=2025-08"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("time,asset,rate,x\n2025-08-21,BTC,0.1,\n2025-08-22,BTC,?,\n")
    (folder / "b.ndjson").write_text('{"time": "2025-08-22", "asset": "BTC", "exchange": "bybit", "rate": 0.1}\n')
    heard: list[tuple[str, int]] = []
    answer = await import_files(
        clean_database, "funding", [folder / "a.csv", folder / "b.ndjson"], progress=lambda *told: heard.append(told)
    )
    assert (answer.received, answer.inserted) == (3, 2)
    assert answer.document()["rejected"] == [
        {"file": str(folder / "a.csv"), "row": 1, "code": "bad_number", "reason": "`rate` is `?`, not a number"}
    ]
    assert heard == [(str(folder / "a.csv"), 2), (str(folder / "b.ndjson"), 1)]
    assert [exchange for exchange, *_ in await contracts(clean_database)] == ["bybit", "okx"]


async def test_a_missing_or_unknown_file_is_named_before_anything_is_written(
    clean_database: Database, tmp_path: Path
) -> None:
    good = tmp_path / "good.csv"
    good.write_text("time,exchange,asset,rate\n2025-08-21,okx,BTC,0.1\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        await import_files(clean_database, "funding", [good, tmp_path / "gone.csv"])
    with pytest.raises(Unsupported, match=r"good\.xlsx"):
        await import_files(clean_database, "funding", [good, good.with_suffix(".xlsx")])
    assert await contracts(clean_database) == []


@pytest.mark.parametrize("dataset", ["funding", "open-interest"])
async def test_a_series_another_writer_made_meanwhile_is_used(clean_database: Database, dataset: str) -> None:
    """The reserved id is given up for the one that is there."""
    row = funding(exchange="x", instrument=None, oi_usd=5)

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([dict(row)])
        assert (await bring(clean_database, dataset, row)).inserted == 1
        yield pa.RecordBatch.from_pylist([{**row, "time": "2025-08-21T08:00:00Z"}])

    answer = await import_rows(clean_database, dataset, batches())
    assert (answer.inserted, answer.unchanged) == (1, 1)
    assert await clean_database.reads.fetchval("select count(*) from series") == 1
    assert len(await stored(clean_database, dataset.replace("-", "_"))) == 2


def test_every_fact_has_a_check() -> None:
    from app.services.importing import DATASETS
    from app.services.importing.rules import CHECKS

    assert CHECKS.keys() == DATASETS.keys()
