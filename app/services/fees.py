"""What trading costs: a fraction of the notional for each opening or closing of a position, by exchange."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from app.settings import FEE

Side = Literal["taker", "maker", "none"]
OTHERS = "*"

PUBLISHED = (
    "binance:0.0005/0.0002",
    "bybit:0.00055/0.0002",
    "okx:0.0005/0.0002",
    "hyperliquid:0.00045/0.00015",
    "deribit:0.0005/0",
    "extended:0.00025/0",
    "lighter:0/0",
    "kraken:0.0005/0.0002",
    "dydx:0.0005/0.0001",
    "*:0.0006/0.0002",
)
"""Base tiers of perpetuals as the exchanges publish them, taker/maker; the last is assumed of every other exchange."""


@dataclass(frozen=True, slots=True)
class FeeTable:
    """The fee of one side by exchange, and of every other exchange: `assumed`, unless somebody said so."""

    side: Side
    rates: Mapping[str, float]
    other: float
    assumed: bool

    def told(self, exchanges: Iterable[str] | None = None) -> str:
        """The table in words, of these exchanges only."""
        if self.side == "none":
            return "no fees are taken off"
        named = sorted(self.rates if exchanges is None else set(self.rates).intersection(exchanges))
        others = f"others {self.other:g}{' (assumed)' if self.assumed else ''}"
        return f"{self.side} fees a trade: {', '.join([*(f'{name} {self.rates[name]:g}' for name in named), others])}"


def fee_table(side: Side, configured: Iterable[str], asked: Mapping[str, float]) -> FeeTable:
    """Published fees, overlaid by the words of the setting (`binance:0.0005/0.0002`), overlaid by those asked for.

    `*` is every exchange that is not named beside it: what was to be overlaid counts for none any more.
    """
    if side == "none":
        return FeeTable(side, {}, 0.0, assumed=False)
    rates = dict(_read(word, side) for word in PUBLISHED)
    said = False
    for layer in (dict(_read(word, side) for word in configured), asked):
        said = said or OTHERS in layer
        rates = dict(layer) if OTHERS in layer else {**rates, **layer}
    other = rates.pop(OTHERS)
    return FeeTable(side, rates, other, assumed=not said)


def _read(word: str, side: Side) -> tuple[str, float]:
    found = FEE.fullmatch(word)
    assert found is not None, word  # noqa: S101 - settings refuse anything else
    return found[1], float(found[2] if side == "taker" else found[3])
