"""Values of metrics that anybody brings: what becomes of each spelling, whose they are, and what they make."""

import asyncio
import json
from pathlib import Path

import pytest

from app.db import Database
from app.services.importing import import_files
from tests.db.facts import DAY
from tests.db.importing import WHEN, Row, bring, codes
from tests.db.metrics import TVL, entity, in_catalogue, tell

METRIC = "select source, name, canonical, unit, domain, granularity, covers, signed from metric order by source, name"


def value(**fields: object) -> Row:
    """A value of Uniswap's TVL, 5, unless told otherwise; `...` leaves a field out."""
    row = {"time": WHEN, "asset": "uniswap", "metric": "TVL", "value": 5, **fields}
    return {name: told for name, told in row.items() if told is not ...}


async def kept(db: Database) -> list[tuple[object, ...]]:
    """Source, metric, canonical id of the entity, exchange and value of every value."""
    rows = await db.reads.fetch(
        """select m.source, m.name, t.canonical_id, e.slug, v.value
        from metric_value v join metric_series s on s.id = v.series_id join metric m on m.id = s.metric_id
        join entity t on t.id = s.entity_id left join exchange e on e.id = s.exchange_id order by 1, 2, 3, 4, v.ts"""
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("told", "becomes"),
    [
        (5, 5.0),
        (0, 0.0),
        ("5.25", 5.25),
        ("-1e3", "negative"),
        (-0.5, "negative"),
        (None, "no_value"),
        (..., "no_value"),
        ("", "no_value"),
        ("NaN", "not_finite"),
        ("-inf", "not_finite"),
        ("n/a", "bad_number"),
        (True, "bad_number"),
        (1e28, "quantity_out_of_range"),
    ],
)
async def test_a_value_is_a_number_or_refused_by_name(clean_database: Database, told: object, becomes: object) -> None:
    await in_catalogue(clean_database, "import", TVL)
    answer = await bring(clean_database, "fundamentals", value(value=told))
    if isinstance(becomes, str):
        assert codes(answer) == [(0, becomes)]
        assert await kept(clean_database) == []
    else:
        assert (codes(answer), answer.inserted) == ([], 1)
        assert await kept(clean_database) == [("import", "TVL", "uniswap", None, becomes)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"time": ...}, "no_time"),
        ({"time": "x"}, "bad_time"),
        ({"time": "2099-01-01"}, "time_in_future"),
        ({"asset": ...}, "no_asset"),
        ({"asset": "nobody-knows-it"}, "unknown_asset"),
        ({"asset": "kPEPE"}, "bad_asset"),
        ({"metric": ...}, "no_metric"),
        ({"metric": "A,B"}, "bad_metric"),
        ({"exchange": "a b"}, "bad_exchange"),
        ({"source": "a b"}, "bad_source"),
        ({"unit": "EUR"}, "unit_mismatch"),
    ],
)
async def test_what_else_is_refused(clean_database: Database, fields: dict[str, object], code: str) -> None:
    await in_catalogue(clean_database, "import", TVL)
    answer = await bring(clean_database, "fundamentals", value(time=1_755_734_400), value(**fields))
    assert (codes(answer), answer.inserted) == ([(1, code)], 1)
    assert len(await clean_database.reads.fetch(METRIC)) == 1


async def test_an_ambiguous_asset_is_refused_unless_its_source_lists_one(clean_database: Database) -> None:
    found = await clean_database.reads.fetchrow(
        """select e.symbol, s.source, min(e.canonical_id)
        from entity e join entity_source_id s on s.entity_id = e.id
        where lower(e.symbol) in (select lower(symbol) from entity group by 1 having count(*) > 1)
        group by e.symbol, s.source having count(distinct e.id) = 1 order by s.source, e.symbol limit 1"""
    )
    assert found is not None
    symbol, source, listed = (str(word) for word in found)
    assert codes(await bring(clean_database, "fundamentals", value(asset=symbol))) == [(0, "ambiguous_asset")]
    assert codes(await bring(clean_database, "fundamentals", value(asset=symbol, source=source))) == []
    assert await kept(clean_database) == [(source, "TVL", listed, None, 5)]


async def test_a_metric_nobody_knew_is_added_with_its_first_value(clean_database: Database) -> None:
    rows = [value(metric="Active Wallets", value=-3), value(metric="active wallets", time="2025-08-22", unit="wallets")]
    answer = await bring(clean_database, "fundamentals", *rows, source="myDesk")
    assert (codes(answer), answer.inserted) == ([], 2)
    assert answer.notices == ("new metrics: mydesk Active Wallets",)
    assert [tuple(row) for row in await clean_database.reads.fetch(METRIC)] == [
        ("mydesk", "Active Wallets", "ACTIVE WALLETS", "wallets", "fundamental", "daily", "instant", True)
    ]
    assert await clean_database.reads.fetchval("select count(*) from source where slug = 'mydesk'") == 1
    again = await bring(clean_database, "fundamentals", *rows, source="mydesk")
    assert (again.unchanged, again.notices) == (2, ())


async def test_the_canonical_name_is_that_of_the_same_name_elsewhere(clean_database: Database) -> None:
    await tell(clean_database, "velo", TVL, {DAY: 1.0})
    for name, source, canonical in (("OI", "a", "OPEN_INTEREST"), ("X", "a", "X1"), ("X", "b", "X2")):
        await clean_database.reads.execute(
            """insert into metric (source, name, canonical, unit, domain, granularity, covers)
            values ($1, $2, $3, '', '', '', '')""",
            source,
            name,
            canonical,
        )
    rows = [value(metric=name) for name in ("tvl", "oi", "x")]
    await bring(clean_database, "fundamentals", *rows)
    made = await clean_database.reads.fetch("select name, canonical from metric where source = 'import' order by name")
    assert [tuple(row) for row in made] == [("oi", "OPEN_INTEREST"), ("tvl", "TVL"), ("x", "X")]


async def test_a_unit_that_was_not_told_is_learnt_and_then_holds(clean_database: Database) -> None:
    await bring(clean_database, "fundamentals", value())
    assert (await bring(clean_database, "fundamentals", value(unit="USD"))).unchanged == 1
    assert await clean_database.reads.fetchval("select unit from metric") == "USD"
    assert codes(await bring(clean_database, "fundamentals", value(unit="usd"), value(unit="EUR"))) == [
        (1, "unit_mismatch")
    ]


async def test_series_are_of_a_source_an_entity_and_an_exchange(clean_database: Database) -> None:
    rows = [
        value(asset="UNI"), value(asset="Uniswap", value=6), value(exchange="Somewhere"), value(source="Other"),
        value(asset="bitcoin", metric="tvl"),
    ]  # fmt: skip
    for inserted in (4, 0):
        answer = await bring(clean_database, "fundamentals", *rows)
        assert (answer.inserted, answer.unchanged) == (inserted, 5 - inserted)
    assert await kept(clean_database) == [
        ("import", "TVL", "bitcoin", None, 5), ("import", "TVL", "uniswap", "somewhere", 5),
        ("import", "TVL", "uniswap", None, 6), ("other", "TVL", "uniswap", None, 5),
    ]  # fmt: skip


async def test_an_unknown_asset_is_made_where_that_is_wanted(clean_database: Database) -> None:
    try:
        answer = await bring(clean_database, "fundamentals", value(asset="Newcoin"), create_assets=True)
        assert (answer.inserted, answer.notices) == (1, ("new asset `newcoin`", "new metrics: import TVL"))
        assert await kept(clean_database) == [("import", "TVL", "newcoin", None, 5)]
    finally:
        await clean_database.reads.execute("truncate metric_value, metric_series")
        await clean_database.reads.execute("delete from entity where canonical_id = 'newcoin'")


async def test_a_dry_run_leaves_nothing(clean_database: Database) -> None:
    rows = (value(exchange="dryex"), value(asset="Newcoin"))
    answer = await bring(clean_database, "fundamentals", *rows, create_assets=True, dry_run=True)
    assert (answer.inserted, answer.rejected_count) == (2, 0)
    for table in ("metric", "metric_series", "metric_value", "source", "exchange where slug = 'dryex'"):
        assert await clean_database.reads.fetchval(f"select count(*) from {table}") == 0


async def test_a_value_that_changes_keeps_what_it_was(clean_database: Database) -> None:
    await bring(clean_database, "fundamentals", value(known_at="2025-08-21T00:05:00Z"))
    answer = await bring(clean_database, "fundamentals", value(value=7, known_at="2025-08-22T00:05:00Z"))
    assert answer.updated == 1
    (old,) = await clean_database.reads.fetch("select said, replaced_at from revision where fact = 'metric_value'")
    assert (json.loads(old["said"]), old["replaced_at"].isoformat()) == ({"value": 5}, "2025-08-22T00:05:00+00:00")


async def test_values_join_the_series_a_source_already_has(clean_database: Database) -> None:
    await tell(clean_database, "defillama", TVL, {DAY: 1.0})
    await bring(clean_database, "fundamentals", value(source="defillama", metric="tvl"))
    assert await kept(clean_database) == [
        ("defillama", "TVL", "uniswap", None, 5), ("defillama", "TVL", "uniswap", None, 1),
    ]  # fmt: skip
    assert await clean_database.reads.fetchval("select count(*) from metric_series") == 1


async def test_two_imports_at_once_make_one_series(clean_database: Database) -> None:
    bodies = [[value(time=f"2025-08-{day:02}", value=day)] for day in range(1, 7)]
    answers = await asyncio.gather(*(bring(clean_database, "fundamentals", *rows) for rows in bodies))
    assert sum(answer.inserted for answer in answers) == 6
    assert await kept(clean_database) == [("import", "TVL", "uniswap", None, day) for day in range(1, 7)]
    assert await clean_database.reads.fetchval("select count(*) from metric_series") == 1


async def test_a_file_whose_columns_are_named_otherwise(clean_database: Database, tmp_path: Path) -> None:
    from app.services.importing import options

    (path := tmp_path / "tvl.csv").write_text("day,tvl\n2025-08-20,1.5\n2025-08-21,\n")
    told = options(
        "fundamentals", columns=[("day", "time"), ("tvl", "value")], values=[("asset", "uni"), ("metric", "TVL")]
    )
    answer = await import_files(clean_database, "fundamentals", [path], told)
    assert (answer.inserted, [reject.code for reject in answer.rejected]) == (1, ["no_value"])
    assert await entity(clean_database, "uniswap")
