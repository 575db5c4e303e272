"""Black-76 and interpolation in the database, against plain Python and against what an exchange published."""

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from app.db import Database
from app.ingest.sources.deribit.black76 import Terms, sensitivities
from app.records import OptionType
from tests.conftest import shared
from tests.plain_options import between, black76, normal

ANY = datetime(2030, 1, 1, tzinfo=UTC)
GREEKS = ("price", "delta", "gamma", "vega", "theta", "rho")
MADE = """
select b.* from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[])
  with ordinality as o(option_type, forward, strike, iv, years, n), black76(option_type, forward, strike, iv, years) b
order by n
"""


async def test_the_normal_distribution(database: Database) -> None:
    asked = [n / 97 for n in range(-3600, 3600)]
    found = await database.reads.fetchval(
        "select array_agg(normal_cdf(x) order by x) from unnest($1::float8[]) x", asked
    )
    for x, value in zip(asked, found, strict=True):
        assert value == pytest.approx(normal(x), rel=1e-15 * (1 + x * x) + 4e-16, abs=0), x
    ends = await database.reads.fetchrow("select normal_cdf(-50), normal_cdf(50), normal_cdf(0), normal_cdf(null)")
    assert ends is not None
    assert tuple(ends) == (0, 1, 0.5, None)


async def test_black76_on_a_grid(database: Database) -> None:
    """Of the database, of the source of greeks and of plain Python: the same, to the last digits."""
    forwards, moneyness = (0.5, 2000.0, 80000.0), (0.05, 0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0, 10.0)
    ivs, years = (0.05, 0.3, 0.8, 3.0), (1e-6, 1 / 730, 1 / 365, 0.1, 1.0, 3.0)
    kinds: tuple[OptionType, ...] = ("call", "put")
    grid = [(kind, f, f * m, iv, t) for kind, f, m, iv, t in product(kinds, forwards, moneyness, ivs, years)]
    found = await database.reads.fetch(MADE, *(list(column) for column in zip(*grid, strict=True)))
    for asked, row in zip(grid, found, strict=True):
        for name, value in black76(*asked)._asdict().items():
            near = asked[1] * 1e-14 if name == "price" else 1e-300
            assert row[name] == pytest.approx(value, rel=1e-9, abs=near), (asked, name)
        kind, forward, strike, iv, life = asked
        computed = asdict(sensitivities(forward, iv, life * 31_536_000, Terms(ANY, strike, kind)))
        assert computed == {name: pytest.approx(row[name], rel=1e-9, abs=1e-300) for name in computed}, asked


@pytest.mark.parametrize(
    "asked",
    [
        (None, 1.0, 1.0, 1.0, 1.0),
        ("call", None, 1.0, 1.0, 1.0),
        ("call", 1.0, None, 1.0, 1.0),
        ("put", 1.0, 1.0, None, 1.0),
        ("put", 1.0, 1.0, 1.0, None),
        ("call", 0.0, 1.0, 1.0, 1.0),
        ("call", 1.0, 0.0, 1.0, 1.0),
        ("call", 1.0, 1.0, 0.0, 1.0),
        ("call", 1.0, 1.0, 1.0, 0.0),
        ("call", 1.0, 1.0, 1.0, -1.0),
        ("straddle", 1.0, 1.0, 1.0, 1.0),
    ],
)
async def test_null_where_there_is_no_value(database: Database, asked: tuple[Any, ...]) -> None:
    row = await database.reads.fetchrow("select * from black76($1, $2, $3, $4, $5)", *asked)
    assert row is not None
    assert set(row.values()) == {None}


async def test_extremes_are_no_errors(database: Database) -> None:
    extremes = (1e-12, 1.0, 1e15)
    grid = [("put", f, k, iv, t) for f, k in product(extremes, extremes) for iv in (1e-6, 100.0) for t in (1e-9, 50.0)]
    found = await database.reads.fetch(MADE, *(list(column) for column in zip(*grid, strict=True)))
    assert all(math.isfinite(value) for row in found for value in row.values())


def published() -> list[tuple[str, dict[str, Any]]]:
    """Tickers and books of options as recorded, by the name of the option."""
    folder = shared("fixtures/deribit")
    bodies = [
        json.loads(path.read_text())
        for path in folder.glob("*.json")
        if path.name.startswith(("ticker__", "get_order_book__"))
    ]
    results = [body.get("result", body) if isinstance(body, dict) else body for body in bodies]
    rows = [row for result in results for row in (result if isinstance(result, list) else [result])]
    return [(row["instrument_name"], row) for row in rows if row.get("greeks")]


def life(name: str, moment: int) -> float:
    """Years from an instant in milliseconds to the expiry that a name tells."""
    expiry = datetime.strptime(name.split("-")[1].title(), "%d%b%y").replace(hour=8, tzinfo=UTC)
    return (expiry.timestamp() - moment / 1000) / 31_536_000


async def test_greeks_are_those_published(database: Database) -> None:
    rows = published()
    assert len(rows) >= 20
    for name, row in rows:
        kind, strike = ("call" if name.endswith("C") else "put"), float(name.split("-")[2].replace("d", "."))
        asked = (kind, float(row["underlying_price"]), strike, row["mark_iv"] / 100, life(name, row["timestamp"]))
        found = await database.reads.fetchrow("select * from black76($1, $2, $3, $4, $5)", *asked)
        assert found is not None
        for greek, value in row["greeks"].items():
            if (name[:3], greek) != ("XRP", "theta"):  # of a day before expiry theirs are the options' whole value
                assert found[greek] == pytest.approx(value, rel=1.2e-3, abs=6e-6), (name, greek)


@pytest.mark.parametrize("x", [-1.0, 0.0, 0.5, 1.0, 1.25, 3.0, 3.5])
async def test_interpolation(database: Database, x: float) -> None:
    xs, ys = [3.0, 0.0, 1.0, 1.0, None, 2.0], [1.0, 4.0, 2.0, 3.0, 9.0, None]
    points = [(p, y) for p, y in zip(xs, ys, strict=True) if p is not None and y is not None]
    assert await database.reads.fetchval("select linear_at($1, $2, $3)", xs, ys, x) == between(points, x)
