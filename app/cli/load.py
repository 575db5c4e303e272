"""`perpstore import`: rows of files, the same way and with the same answer as a POST."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import completing
from app.cli.console import Failure, emit, note, say
from app.cli.export import DATASETS as EXPORTED
from app.cli.options import Json, pairs
from app.cli.progress import progress

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.services.importing import Answer, BadOption, Options

SHOWN = 10
DATASETS = (*EXPORTED, "perp-data")
DATASETS_ARE = f"{', '.join(EXPORTED)}, or perp-data: columns of your own perpspecs."


def load(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help=DATASETS_ARE, autocompletion=completing.one_of(DATASETS))
    ],
    file: Annotated[
        list[Path], typer.Argument(metavar="FILE", exists=True, readable=True, help="Files, or folders of them.")
    ],
    map: Annotated[list[str] | None, typer.Option(metavar="FROM=TO", help="Read a column as a field.")] = None,
    set: Annotated[list[str] | None, typer.Option(metavar="FIELD=VALUE", help="A field of every row.")] = None,
    source: Annotated[str, typer.Option(metavar="NAME", help="Who told these rows.")] = "import",
    create_assets: Annotated[bool, typer.Option("--create-assets", help="Make assets nobody knows yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Import rows of files.

    CSV, NDJSON, JSON, Parquet or Arrow, gzipped or not. Good rows are kept, bad ones are named; doing it again changes
    nothing. The exit code is 1 when rows were rejected.

    \b
    Examples:
      perpstore import funding rates.csv --map ts=time --set exchange=okx
      perpstore import candles 2025/*.parquet --set exchange=binance --json
      perpstore import taker-volume tv.csv --map buy_vol=buy_volume_base --map sell_vol=sell_volume_base
      perpstore import options chain.csv --map ts=time --map iv=mark_iv --set exchange=deribit
      perpstore import perp-data vwap.csv --map ts=time --set exchange=binance
      perpstore import funding export/funding        a folder that `export` wrote
    """
    options = _options(dataset, map, set, source, create_assets=create_assets, dry_run=dry_run)
    answer = _imported(dataset, list(_files(file)), options)
    emit({**answer.document(), "import_ids": list(answer.imports)}) if json else _show(answer)
    if answer.rejected_count:
        raise typer.Exit(1)


def _options(
    dataset: str, map: list[str] | None, set: list[str] | None, source: str, *, create_assets: bool, dry_run: bool
) -> "Options":
    columns, values = pairs(map, "--map").items(), pairs(set, "--set").items()
    from app.services.importing import BadOption, Writer, options

    try:
        told = options(
            dataset, columns=columns, values=values, source=source, create_assets=create_assets, dry_run=dry_run
        )
        return replace(told, writer=Writer("command line", "command line"))
    except BadOption as error:
        raise _bad(error) from error


def _bad(error: "BadOption") -> Failure:
    given = {"map": "--map ", "set": "--set ", "source": "--source "}.get(error.parameter, f"{error.parameter} ")
    value = error.value.replace(":", "=", 1) if error.parameter in ("map", "set") else error.value
    return Failure(f"{given}{value}: {error.reason}. See `perpstore import --help`", 2)


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """The files, those in folders too, but for hidden ones there: they are half written, or not for us."""
    for path in given:
        inside = sorted(filter(_is_plain, path.rglob("*"))) if path.is_dir() else [path]
        if not inside:
            raise Failure(f"{path} holds no files. Name the files, or the folder they are in", 2)
        yield from inside


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _imported(dataset: str, files: list[Path], options: "Options") -> "Answer":
    import pyarrow as pa

    from app.cli.session import on_database

    pa.set_memory_pool(pa.system_memory_pool())  # measured: a tenth less memory than its own, as fast

    async def work(session: "Session") -> "Answer":
        from app.services.importing import BadOption, BrokenBody, TooLarge, Unsupported, import_files

        told = replace(options, kept=session.settings.kept_days)
        try:
            with progress("rows") as tell:
                return await import_files(session.db, dataset, files, told, lambda name, rows: tell(name, rows, None))
        except BadOption as error:
            raise _bad(error) from error
        except (BrokenBody, TooLarge, Unsupported) as error:
            raise Failure(f"{error}. Mend or leave out that file; what came before it is stored") from error
        except OSError as error:
            if error.filename is None:
                raise
            raise Failure(f"{error.filename}: {error.strerror}. See whether it can be read") from error

    return on_database(work)


def _show(answer: "Answer") -> None:
    said = answer.document()
    say(", ".join(f"{word} {said[name]:,}" for name, word in COUNTS.items()))
    for reject in answer.rejected[:SHOWN]:
        reason = reject.reason.replace("create_assets=true", "--create-assets")
        note(f"rejected: {reject.file} row {reject.row}: {reject.code}: {reason}")
    if answer.rejected_count > SHOWN:
        note(f"rejected: {answer.rejected_count - SHOWN:,} more rows; --json names them")
    for notice in answer.notices:
        note(f"notice: {notice}")
    if answer.imports:
        first, last = answer.imports[0], answer.imports[-1]
        which = f"import {first}" if first == last else f"imports {first} to {last}, one a file"
        note(f"{which}; to take one back: DELETE /admin/imports/{first}")


COUNTS = {
    "received": "received",
    "inserted": "inserted",
    "updated": "updated",
    "unchanged": "unchanged",
    "rejected_count": "rejected",
}
