"""What perpspecs are made of: fields by their public names, what each is of a row of `perp_1m`, and its unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MINUTES = (1, 5, 10)
"""How many minutes before a field is compared with."""
PRICE, COINS = "quote currency a coin", "coins"
UNCHANGING = frozenset({"o", "h", "l", "oi_usd", "interval_hours"})
"""Of these no change is told: that of `c`, `oi` and `pfr` is."""
STRENGTHS = frozenset({"rsi1", "rsi60"})
"""What is computed from candles when it is asked for."""
LIQUIDATED = frozenset({"lqside", "lqprice", "lqqty"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `value` is SQL over the columns of a minute that it is made of. `unit` None: as its user means it."""

    name: str
    value: str
    columns: tuple[str, ...]
    about: str
    unit: str | None = None
    kind: Literal["number", "text"] = "number"

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of its changes, in the order of `MINUTES`."""
        return () if self.name in UNCHANGING else tuple(f"{self.name}_chg_{n}m" for n in MINUTES)


def _column(name: str, column: str, about: str, unit: str) -> Field:
    return Field(name, column, (column,), about, unit)


LIQUIDATIONS = ("long_liquidation_base", "short_liquidation_base")
LONG, SHORT = (f"coalesce({column}, 0)" for column in LIQUIDATIONS)
SELLS = "coalesce(sell_volume_base, volume_base - buy_volume_base)"
SIDE = f"case when {LONG} + {SHORT} > 0 then case when {LONG} >= {SHORT} then 'long' else 'short' end end"
QUANTITY = f"case when num_nonnulls({', '.join(LIQUIDATIONS)}) > 0 then {LONG} + {SHORT} end"

FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        _column("o", "open", "First price of the minute.", PRICE),
        _column("h", "high", "Highest price.", PRICE),
        _column("l", "low", "Lowest price.", PRICE),
        _column("c", "close", "Last price.", PRICE),
        _column("v", "volume_base", "Traded.", COINS),
        _column("volume_usd", "volume_usd", "Traded.", "USD"),
        _column("trades", "trades", "How many trades.", "trades"),
        _column("oi", "oi_base", "Open interest, the first sample in the minute.", "coins, one side"),
        _column("oi_usd", "oi_usd", "The same in USD.", "USD, one side"),
        _column("pfr", "predicted_rate", "Predicted funding, the first sample in it.", "fraction of one interval"),
        _column("interval_hours", "predicted_interval_hours", "The interval `pfr` is of.", "hours"),
        _column("lsr", "long_short_ratio", "Ratio of accounts.", "accounts long ÷ accounts short"),
        _column("tbv", "buy_volume_base", "Bought by takers.", COINS),
        Field("tsv", SELLS, ("sell_volume_base", "volume_base", "buy_volume_base"), "Sold by takers.", COINS),
        Field("lqside", SIDE, LIQUIDATIONS, "Of which side more was liquidated: long or short.", kind="text"),
        _column("lqprice", "liquidation_price", "Mean price of liquidations, by quantity.", PRICE),
        Field("lqqty", QUANTITY, LIQUIDATIONS, "Liquidated, both sides together.", COINS),
        _column("mark_price", "mark_price", "Mark price, the first sample in the minute.", PRICE),
        _column("index_price", "index_price", "Index price, the first sample in the minute.", PRICE),
        _column("rsi1", "rsi1", "RSI(14) of closes of minutes.", "0 to 100"),
        _column("rsi60", "rsi60", "RSI(14) of closes of the hours completed by then.", "0 to 100"),
    )
}


def field(name: str) -> Field:
    """A field by its public name; what is none of ours is a user's column of that name."""
    return FIELDS.get(name) or Field(name, f'"{name}"', (name,), "As whoever registered it means it.")
