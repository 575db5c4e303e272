"""Which exchanges and contracts there are, whether or not anything settled: a typing error has no rate either."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from perpstore_client.client import PerpstoreClient


@dataclass(frozen=True, slots=True)
class Known:
    """Exchanges, and the perpetuals (`exchange:symbol`) of each asset, by the name it is called here."""

    exchanges: frozenset[str]
    contracts: Mapping[str, frozenset[str]]


def on_server(
    client: PerpstoreClient[Any], exchanges: Iterable[str], assets: Sequence[str] | None, wanted: Sequence[str] | None
) -> Known:
    """What a server lists of these assets (None: of all) on the wanted exchanges. Raises a `PerpstoreError`."""
    asked = [None] if assets is None else assets
    rows = (
        (asset or row["asset"], row["exchange"], row["symbol"])
        for asset in asked
        for row in client.arrow.instruments(kind="perp", exchange=wanted, asset=asset).to_pylist()
    )
    return Known(frozenset(exchanges), _gathered(rows))


def in_files(files: Sequence[str]) -> Known:
    """What Parquet files tell rates of, the perpetuals by canonical id."""
    columns = ["asset", "exchange", "instrument"]
    batches = ds.dataset(files, format="parquet").to_batches(columns=columns)
    each = (pa.Table.from_batches([batch]).group_by(columns).aggregate([]) for batch in batches)
    listed = [tuple(row[name] for name in columns) for table in each for row in table.to_pylist()]
    return Known(frozenset(exchange for _, exchange, _ in listed), _gathered(listed))


def _gathered(rows: Iterable[tuple[str | None, str, str]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for asset, exchange, symbol in rows:
        if asset is not None:
            found[asset].add(f"{exchange}:{symbol}")
    return {asset: frozenset(names) for asset, names in found.items()}


def near(word: str, names: Collection[str]) -> list[str]:
    """The names a mistyped one may have meant, the likeliest first."""
    spelled = {name.lower(): name for name in sorted(names)}
    return [spelled[name] for name in get_close_matches(word.lower(), list(spelled), 3, 0.5)]


def meant(word: str, names: Collection[str]) -> str:
    """The same as the end of a sentence."""
    close = near(word, names)
    return f". Did you mean {', '.join(close)}?" if close else ""
