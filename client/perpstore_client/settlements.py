"""Settled funding as a backtest holds it, read from a server or from the files of an export."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from perpstore_client.client import PerpstoreClient
from perpstore_client.contracts import Known, in_files, meant, near, on_server
from perpstore_client.frames import FACTS
from perpstore_client.intervals import Told, intervals_then
from perpstore_client.problems import Ambiguous, BadRequest, NotFound
from perpstore_client.times import EPOCH, HOUR_US, MICROSECOND

PER_HOURS = 8.0
IN_FORCE = 1.5
"""Intervals for which a rate is in force after its settlement, the last instant included."""

TIME = pa.timestamp("us", "UTC")


class Series(NamedTuple):
    """One contract as one source tells of it."""

    exchange: str
    instrument: str
    source: str


Settled: TypeAlias = "dict[Series, list[tuple[int, float, int]]]"
"""Of each series: epoch microseconds of the settlement, rate per 8 h, microseconds for which it is in force."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settlements from `start` to `end` (epoch microseconds, both included), of these exchanges (None: all)."""

    start: int
    end: int
    exchanges: tuple[str, ...] | None

    def bounds(self) -> tuple[Any, Any]:
        """The window as times, its end excluded."""
        return EPOCH + self.start * MICROSECOND, EPOCH + (self.end + 1) * MICROSECOND


@dataclass(frozen=True, slots=True)
class Read:
    """Settlements by asset, called as it was asked for, what there is at all, and who is preferred where."""

    settled: Mapping[str, Settled]
    known: Known
    sources: Mapping[str, Sequence[str]]


def from_server(client: PerpstoreClient[Any], assets: Sequence[str] | None, wanted: Wanted) -> Read:
    """Settlements of a server; of several sources of one it has picked.

    Raises a `PerpstoreError`.
    """
    start, end = wanted.bounds()
    exchanges = client.arrow.exchanges()
    assumed = dict(zip(_plain(exchanges, "exchange"), _plain(exchanges, "funding_interval_hours"), strict=True))
    known = on_server(client, assumed, assets, wanted.exchanges)
    found: dict[str, Settled] = {}
    for asset in assets if assets is not None else known.contracts:
        path = f"/funding/{asset}"
        batches = client.batches(path, start=start, end=end, exchanges=wanted.exchanges, per="native")
        found[asset] = _gathered(batches, "rate_native", assumed).get(None, {})
    told = _plain(exchanges, "sources") if "sources" in exchanges.schema.names else []
    return Read(found, known, dict(zip(_plain(exchanges, "exchange"), told, strict=False)))


def from_folder(folder: Path, assets: Sequence[str] | None, wanted: Wanted) -> Read:
    """Settlements of Parquet files under the folder that an export was made in, or its `funding`.

    Assets are asked for by canonical id, or by symbol. Raises NotFound, Ambiguous and BadRequest as a server would, and
    FileNotFoundError where there are no files.
    """
    files = _files(folder)
    known = in_files(files)
    _check_exchanges(wanted.exchanges or (), known)
    symbols, sources = _stated(files)
    ids = None if assets is None else {asset: _canonical(asset, symbols) for asset in assets}
    start, end = wanted.bounds()
    chosen = (ds.field("kind") == "settled") & (ds.field("time") >= pa.scalar(start, TIME))
    chosen &= ds.field("time") < pa.scalar(end, TIME)
    for column, values in (("asset", ids and list(ids.values())), ("exchange", wanted.exchanges)):
        if values is not None:
            chosen &= ds.field(column).cast(pa.string()).isin(list(values))
    columns = ["time", "exchange", "instrument", "source", "asset", "rate", "interval_hours", "interval_known"]
    found = _gathered(ds.dataset(files, format="parquet").to_batches(columns=columns, filter=chosen), "rate", {})
    if ids is None:
        settled = {asset: told for asset, told in found.items() if asset is not None}
        return Read(settled, known, sources)
    contracts = {asset: known.contracts.get(canonical, frozenset[str]()) for asset, canonical in ids.items()}
    settled = {asset: found.get(canonical, {}) for asset, canonical in ids.items()}
    return Read(settled, Known(known.exchanges, contracts), sources)


def _check_exchanges(wanted: Sequence[str], known: Known) -> None:
    for name in wanted:
        if name not in known.exchanges:
            reason = f"No exchange {name} in these files{meant(name, known.exchanges)}"
            raise BadRequest(reason, code="unknown_exchange", candidates=near(name, known.exchanges))


def _files(folder: Path) -> list[str]:
    root = folder / "funding" if (folder / "funding").is_dir() else folder
    files = [str(path) for path in sorted(root.rglob("*.parquet")) if not path.name.startswith(".")]
    if not files:
        raise FileNotFoundError(f"{folder} holds no Parquet files: `perpstore export funding --parquet {folder}`")
    return files


def _stated(files: Iterable[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What the metadata tell: the symbol of each asset by canonical id, the sources of each exchange in order."""
    symbols, sources = dict[str, str](), dict[str, list[str]]()
    for file in files:
        metadata: Mapping[bytes, bytes] = pq.read_metadata(file).metadata or {}
        told = json.loads(metadata.get(FACTS, b"{}"))
        symbols |= told.get("assets", {})
        if "sources" in told:
            sources[Path(file).parent.parent.name.removeprefix("exchange=")] = told["sources"]
    return symbols, sources


def _canonical(asset: str, symbols: Mapping[str, str]) -> str:
    word = asset.lower()
    if word in symbols:
        return word
    found = [canonical for canonical, symbol in symbols.items() if symbol.lower() == word]
    if len(found) > 1:
        raise Ambiguous(f"{asset} may mean {', '.join(found)}", code="ambiguous_asset", candidates=found)
    if not found:
        near = get_close_matches(word, [*symbols, *(symbol.lower() for symbol in symbols.values())], 3)
        raise NotFound(f"No asset {asset} in these files", code="unknown_asset", candidates=near)
    return found[0]


def _gathered(batches: Iterable[pa.RecordBatch], rate: str, assumed: Mapping[str, float]) -> dict[str | None, Settled]:
    """Rows by asset (None: they do not say) and series. `assumed`: hours where none are known, by exchange."""
    told: dict[str | None, dict[Series, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for batch in batches:
        for asset, exchange, instrument, source, *fact in _rows(batch, rate):
            told[asset][Series(exchange, instrument, source)].append(Told(*fact))
    return {
        asset: {one: _rated(facts, assumed.get(one.exchange, PER_HOURS)) for one, facts in several.items()}
        for asset, several in told.items()
    }


def _rated(told: list[Told], assumed: float) -> list[tuple[int, float, int]]:
    """Rates per 8 h by the intervals that were known when they were in force."""
    told.sort(key=itemgetter(0))
    return [
        (fact.us, fact.rate * PER_HOURS / hours, round(IN_FORCE * hours * HOUR_US))
        for fact, hours in zip(told, intervals_then(told, assumed), strict=True)
    ]


def _rows(batch: pa.RecordBatch, rate: str) -> Iterator[tuple[Any, ...]]:
    names = batch.schema.names
    words = [_plain(batch, name) if name in names else [None] * len(batch) for name in ("asset", *Series._fields)]
    times = batch["time"].cast(TIME).cast(pa.int64()).to_pylist()
    facts = (_plain(batch, name) for name in (rate, "interval_hours", "interval_known"))
    return zip(*words, times, *facts, strict=True)


def _plain(told: pa.RecordBatch | pa.Table, name: str) -> list[Any]:
    return cast("list[Any]", told[name].to_pylist())
