"""Units converted at the edge: the vectors of upstreams that send percent and a direction."""

from math import copysign

import pytest

from app.ingest.spec import from_percent, paid_by


@pytest.mark.parametrize(("percent", "payer", "per_hour"), [(0.00125, "long", 0.0000125), (0.0012, "short", -0.000012)])
def test_percent_with_a_direction(percent: float, payer: str, per_hour: float) -> None:
    assert paid_by(payer, from_percent(percent)) == pytest.approx(per_hour, rel=1e-12)
    assert paid_by(payer, from_percent(percent)) * 8760 == pytest.approx(per_hour * 8760, rel=1e-12)


def test_an_unknown_direction_is_no_guess() -> None:
    with pytest.raises(ValueError, match="neither"):
        paid_by("both", 0.1)


def test_percent_is_shifted_by_its_digits() -> None:
    assert from_percent(0.0012) == 0.000012
    assert from_percent(0.0012) == 0.000096 / 8


@pytest.mark.parametrize("payer", ["long", "short"])
def test_zero_is_zero_whoever_is_named(payer: str) -> None:
    assert copysign(1, paid_by(payer, 0.0)) == 1
