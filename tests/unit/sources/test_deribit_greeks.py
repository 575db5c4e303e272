"""Greeks worked out from a summary against every greek that Deribit published in what was recorded."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.ingest.sources.deribit import SOURCE
from app.ingest.sources.deribit.black76 import Terms, sensitivities, terms
from app.ingest.spec import Bad, Window
from app.records import Greeks
from tests.conftest import shared

DIGITS = 0.5e-5
"""Published greeks have five decimals."""
ERRORS = {"delta": 0.0008, "gamma": 0.0012, "vega": 0.0002, "theta": 0.0085, "rho": 0.0005}
"""How far off the farthest is, beyond those decimals, as a fraction of what was published."""
MEDIANS = {"delta": 0.0001, "gamma": 0.005, "vega": 0.0001, "theta": 0.0001, "rho": 0.0001}
"""How far off the middle one is, decimals and all: a gamma of 0.00002 has but one digit."""
WORTH_ERROR = 0.012
"""How far what an option is worth may be off, with a published volatility of two decimals."""
NOON = datetime(2026, 9, 20, 12, tzinfo=UTC)


def published() -> Iterator[dict[str, Any]]:
    """Every ticker and order book of an option that tells greeks and is not over, of answers and of frames."""
    for path in sorted(shared("fixtures/deribit").glob("*.json*")):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        for line in lines:
            told = json.loads(line)
            yield from _with_greeks(_frame(told["raw"]) if path.suffix == ".jsonl" else told)


def _frame(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _with_greeks(told: Any) -> Iterator[dict[str, Any]]:
    if isinstance(told, dict):
        if (
            isinstance(told.get("greeks"), dict)
            and told.get("mark_iv")
            and told["instrument_name"][-2:] in ("-C", "-P")
        ):
            yield told
        for inner in told.values():
            yield from _with_greeks(inner)
    elif isinstance(told, list):
        for inner in told:
            yield from _with_greeks(inner)


def worked_out(told: dict[str, Any]) -> Any:
    """By the source's own rows, from a summary that says what the ticker says."""
    feed = next(feed for feed in SOURCE.feeds if feed.dataset == "greeks")
    name = told["instrument_name"]
    row = {
        "instrument_name": f"BTC-{name.partition('-')[2]}",
        "base_currency": "BTC",
        "creation_timestamp": told["timestamp"],
        "bid_price": None,
        "ask_price": None,
        "mark_price": told["mark_price"],
        "mark_iv": told["mark_iv"],
        "underlying_price": told["underlying_price"],
    }
    [item] = feed.rows(feed.answer.model_validate({"result": [row]}), Window(NOON, NOON))
    return item


def is_capped(told: dict[str, Any]) -> bool:
    """Whether theta is published as all that the option is worth: a cap that nothing documents."""
    theta = told["greeks"].get("theta")
    return theta is not None and abs(theta + _worth(told)) <= DIGITS + WORTH_ERROR * _worth(told)


def _worth(told: dict[str, Any]) -> float:
    """USD, by the published volatility."""
    return _mark(told, told["timestamp"]) * told["underlying_price"]


@pytest.mark.parametrize("name", ERRORS)
def test_greeks_are_as_published(name: str) -> None:
    """Theta where it is published as what the option is worth: ours is the larger loss."""
    errors, capped = list[float](), 0
    for told in published():
        item = worked_out(told)
        if item is None:  # it expired in the millisecond of its ticker
            assert not any(told["greeks"].values())
            continue
        if (there := told["greeks"].get(name)) is None:  # a change of a ticker tells what has changed
            continue
        if name == "theta" and is_capped(told):
            assert item.theta <= there + DIGITS + WORTH_ERROR * abs(there)
            capped += 1
            continue
        off = abs(getattr(item, name) - there)
        assert off <= DIGITS + ERRORS[name] * abs(there), (told["instrument_name"], getattr(item, name), there)
        errors.append(off / abs(there) if there else 0)
    assert len(errors) + capped >= 115
    assert (capped > 0) == (name == "theta")
    assert sorted(errors)[len(errors) // 2] <= MEDIANS[name]


def test_marks_are_those_of_the_model() -> None:
    """The volatility told is that of the mark: so what greeks are made of is exact, not rounded."""
    rows = json.loads(
        (shared("fixtures/deribit") / "get_book_summary_by_currency__btc_option_2026-04.json").read_text()
    )
    errors = [
        abs(_mark(row, row["creation_timestamp"]) / row["mark_price"] - 1)
        for row in rows["result"]
        if row["mark_price"] > 0.001
    ]
    assert len(errors) > 300
    assert sorted(errors)[len(errors) // 2] < 0.0002


def _mark(row: dict[str, Any], milliseconds: int) -> float:
    """Black's price in coins: call and put by their deltas, since the probabilities of both are the same."""
    of, forward = terms(row["instrument_name"]), row["underlying_price"]
    seconds = of.expires_at.timestamp() - milliseconds / 1000
    found = sensitivities(forward, row["mark_iv"] / 100, seconds, of)
    return found.delta - found.rho * 100 / (seconds / (365 * 86400)) / forward


def test_of_every_option_of_a_chain() -> None:
    body = json.loads(
        (shared("fixtures/deribit") / "get_book_summary_by_currency__btc_option_2026-04.json").read_text()
    )
    feed = next(feed for feed in SOURCE.feeds if feed.dataset == "greeks")
    items = list(feed.rows(feed.answer.model_validate(body), Window(NOON, NOON)))
    assert len(items) == 636
    for row, item in zip(body["result"], items, strict=True):
        assert isinstance(item, Greeks)
        assert round(item.time.timestamp() * 1000) == row["creation_timestamp"]
        assert ((item.delta or 0) >= 0) == row["instrument_name"].endswith("-C") or item.delta == 0
        assert min(item.gamma or 0, item.vega or 0, -(item.theta or 0)) >= 0
    by_name = {item.symbol: item for item in items if isinstance(item, Greeks)}
    for name, call in by_name.items():  # put-call parity
        put = by_name.get(f"{name[:-1]}P")
        if name.endswith("-C") and put and (call.time, call.gamma) == (put.time, put.gamma):
            assert (call.delta or 0) - (put.delta or 0) == pytest.approx(1)


def test_of_one_worked_out_by_hand() -> None:
    """At the money, a quarter of a year, 50 %: the spread is 0.25 and d1 half of it."""
    found = sensitivities(100.0, 0.5, 365 * 86400 / 4, Terms(NOON, 100.0, "call"))
    density = math.exp(-(0.125**2) / 2) / math.sqrt(2 * math.pi)
    assert found.delta == pytest.approx(0.549738, abs=1e-6)
    assert found.gamma == pytest.approx(density / 25)
    assert found.vega == pytest.approx(100 * density * 0.5 / 100)
    assert found.theta == pytest.approx(-100 * density * 0.5 / (2 * 0.5) / 365)
    assert found.rho == pytest.approx(100 * 0.25 * (1 - 0.549738) / 100, abs=1e-6)


def test_the_decay_is_not_cut_off_at_the_worth() -> None:
    """A call far from its strike with half a day left: by the formula alone, as in the database."""
    found = sensitivities(1000.0, 0.8, 43_200, Terms(NOON, 1150.0, "call"))
    root = math.sqrt(0.5 / 365)
    d1 = math.log(1000 / 1150) / (0.8 * root) + 0.8 * root / 2
    density = math.exp(-(d1**2) / 2) / math.sqrt(2 * math.pi)
    assert found.theta == pytest.approx(-1000 * density * 0.8 / (2 * root) / 730, rel=1e-12)
    assert sensitivities(1000.0, 0.8, 43_200, Terms(NOON, 1150.0, "put")).theta == found.theta


@pytest.mark.parametrize("changed", [{"mark_iv": None}, {"mark_iv": 0.0}, {"underlying_price": None}, {"over": True}])
def test_without_a_volatility_or_a_life_there_are_none(changed: dict[str, Any]) -> None:
    told = {"instrument_name": "BTC-20SEP26-80000-C", "timestamp": 1789891199999, "mark_price": 0.01}
    told |= {"mark_iv": 50.0, "underlying_price": 80000.0}
    assert isinstance(worked_out(told), Greeks)
    assert worked_out({**told, **changed, "timestamp": told["timestamp"] + ("over" in changed)}) is None


@pytest.mark.parametrize(
    "name",
    [
        "BTC-PERPETUAL",
        "BTC-25DEC26",
        "BTC-CS-19MAY26-70000_75000",
        "BTC-31FEB26-70000-C",
        "BTC-2MAI26-70000-C",
        "BTC-2MAY26-1d-C",
        "BTC-2MAY26-70000-X",
    ],
)
def test_a_name_of_no_option_has_no_terms(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        terms(name)
    told = {"instrument_name": name, "timestamp": 1789891199999, "mark_price": 0.01, "mark_iv": 50.0}
    assert isinstance(worked_out({**told, "underlying_price": 80000.0}), Bad)
