"""`perpstore export`: stored rows as files, which `import` takes back unchanged."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import completing, names
from app.cli.console import Failure, emit, say, size
from app.cli.options import Assets, Exchanges, Json, moment, words
from app.cli.progress import progress

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.db import Database
    from app.services.export import Exported, Facts, Wanted

SLUGS = {"exchange": "select slug from exchange order by slug", "source": "select slug from source order by slug"}
DATASETS = (
    *("funding", "open-interest", "candles", "liquidations", "long-short", "taker-volume"),
    *("options", "index", "fundamentals"),
)
DATASETS_ARE = f"{', '.join(DATASETS[:-1])} or {DATASETS[-1]}."
NOTHING = "No rows: nothing is stored of that; no file was written"

Parquet = Annotated[Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write Parquet under this folder.")]
Csv = Annotated[Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write CSV under this folder.")]
Sources = Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="Only what these told; repeat, or commas.")]
Start = Annotated[str | None, typer.Option(metavar="TIME", help="From then on: RFC 3339, a date, or epoch seconds.")]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Until before then.")]
Intervals = Annotated[
    list[str] | None, typer.Option(metavar="1m|1h", help="Of candles and taker-volume: only these [default: both].")
]


def export(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help=DATASETS_ARE, autocompletion=completing.one_of(DATASETS))
    ],
    parquet: Parquet = None,
    csv: Csv = None,
    asset: Assets = None,
    exchange: Exchanges = None,
    source: Sources = None,
    start: Start = None,
    end: End = None,
    interval: Intervals = None,
    json: Json = False,
) -> None:
    """Write stored rows as files.

    DIR/DATASET/exchange=X/month=YYYY-MM/*.parquet (or *.csv), which `import` takes back unchanged. Files of the same
    name are replaced, each when its new one is whole.

    \b
    Examples:
      perpstore export funding --parquet backup
      perpstore export candles --csv out --asset BTC --interval 1h --start 2025-01-01
      perpstore import funding backup/funding        into another database
    """
    from app.cli.session import on_database
    from app.records import EARLIEST
    from app.services.export import LATEST, Wanted

    dataset = dataset.lower()
    kinds = _kinds(dataset, words(interval))
    folder, suffix = _target(dataset, parquet, csv)
    bounds = Wanted(start=moment("--start", start) or EARLIEST, end=moment("--end", end) or LATEST)
    if bounds.start >= bounds.end:
        raise Failure("--start has to be before --end", 2)

    async def work(session: "Session") -> "Exported":
        wanted = await _narrowed(session.db, bounds, words(exchange), words(asset), words(source))
        return await _exported(session.db, kinds, folder, suffix, wanted)

    done = on_database(work)
    if json:
        return emit({"dataset": dataset, **asdict(done), "folder": str(folder)})
    say(f"{done.rows:,} rows in {done.files:,} files ({size(done.bytes)}): {folder}" if done.files else NOTHING)


def _kinds(dataset: str, intervals: list[str]) -> "tuple[Facts, ...]":
    from app.services.export import DATASETS

    kinds = DATASETS[names.one_of("dataset", [dataset], list(DATASETS))[0]]
    if not intervals:
        return kinds
    if dataset not in ("candles", "taker-volume"):
        raise Failure(f"--interval is of candles and taker-volume; {dataset} has none. Leave it out", 2)
    chosen = names.one_of("interval", intervals, [kind.name for kind in kinds])
    return tuple(kind for kind in kinds if kind.name in chosen)


def _target(dataset: str, parquet: Path | None, csv: Path | None) -> tuple[Path, str]:
    if (parquet is None) == (csv is None):
        raise Failure("Say where to write: --parquet DIR or --csv DIR. See `perpstore export --help`", 2)
    folder, suffix = (parquet, "parquet") if parquet else (csv, "csv")
    return Path(folder or ".") / dataset, suffix


async def _narrowed(
    db: "Database", bounds: "Wanted", exchanges: list[str], assets: list[str], sources: list[str]
) -> "Wanted":
    """The same, of these exchanges, assets and sources only, which have to be there."""
    slugs = {kind: [row["slug"] for row in await db.reads.fetch(text)] for kind, text in SLUGS.items()}
    return replace(
        bounds,
        exchanges=names.one_of("exchange", exchanges, slugs["exchange"]) or None,
        entities=await names.assets(db, assets) or None,
        sources=names.one_of("source", sources, slugs["source"]) or None,
    )


async def _exported(
    db: "Database", kinds: "tuple[Facts, ...]", folder: Path, suffix: str, wanted: "Wanted"
) -> "Exported":
    from app.services.export import export

    try:
        with progress("rows") as tell:
            return await export(db, kinds, folder, suffix, wanted, lambda name, rows: tell(name, rows, None))
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError):  # of the database
            raise
        told = f"{error.filename or folder}: {error.strerror or error}"
        raise Failure(f"{told}. Make room or choose another folder, then export again") from error
