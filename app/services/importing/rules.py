"""The rules of every dataset that can be written, by its name."""

from collections.abc import Callable, Mapping

from app.services.importing import checks, minute_checks, option_checks
from app.services.importing.checks import Facts
from app.services.importing.frame import Frame

CHECKS: Mapping[str, Callable[[Frame], Facts]] = {
    "funding": checks.funding,
    "open-interest": checks.open_interest,
    "candles": checks.candles,
    "liquidations": minute_checks.liquidations,
    "long-short": minute_checks.long_short,
    "taker-volume": minute_checks.taker_volume,
    "perp-data": minute_checks.perp_data,
    "options": option_checks.options,
    "index": option_checks.index,
    "fundamentals": checks.fundamentals,
}
