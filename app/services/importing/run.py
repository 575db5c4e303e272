"""An import: the good rows of a body find their series and are stored; the others are counted."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from app.db import DATABASE_ERRORS, Database, Driver, driver, writing
from app.services import batches, holes, store
from app.services.importing import beside_candles, checks, keeping, layout, listing, read
from app.services.importing.answer import Answer
from app.services.importing.body import Body, BrokenBody, TooLarge, body_of_file
from app.services.importing.datasets import TAKER_VOLUME, Dataset
from app.services.importing.identity import Directory
from app.services.importing.naming import refuse_unplaced, series_of
from app.services.importing.options import Options
from app.services.importing.own_columns import dataset_of
from app.services.importing.parts import Judged, Rows, Run, judged
from app.services.store import Written

Parts = Mapping[str, pa.RecordBatch]
Progress = Callable[[str, int], None]
PLAIN = Options()
NO_EXCHANGE = "exchange=__HIVE_DEFAULT_PARTITION__"
"""What partitioned folders call facts that are of no exchange."""

logger = logging.getLogger(__name__)


async def import_rows(
    db: Database,
    dataset: str,
    rows: Rows,
    options: Options = PLAIN,
    progress: Callable[[int], None] | None = None,
) -> Answer:
    """Write rows of a dataset: all good ones of a fact, or, when this raises, none of them.

    `rows` come as record batches whose columns are named as in the contract or as `options` say. With a `writer` among
    the options it is an import that can be taken back. `progress` hears how many were read so far. Raises BadOption,
    TooLarge, whatever reading raises, and whatever the database raises.
    """
    return await _import(db, await dataset_of(db, dataset, options), rows, options, progress)


async def _import(
    db: Database, kind: Dataset, rows: Rows, options: Options, progress: Callable[[int], None] | None
) -> Answer:
    writer = None if options.dry_run else options.writer
    async with batches.begun(db, kind.name, options.source, writer) as batch:
        run = Run(db, kind, options, datetime.now(UTC), batch)
        async with aclosing(_parts(run, rows, progress)) as parts:
            written = await _store(run, parts)
    run.tally.notice(*layout.notices(run.ignored, run.seen, kind, options))
    run.tally.notice(*(run.directory.news() if run.directory else ()))
    run.tally.notice(*keeping.notices(run.old, options.kept))
    if options.dry_run:
        run.tally.notice("dry run: nothing was written")
    if written.inserted + written.updated:
        await _look(run)
    answer = run.tally.answer(written.inserted, written.updated)
    return answer if run.batch is None else replace(answer, imports=(run.batch,))


async def _look(run: Run) -> None:
    """Have what is missing in what came in the ledger. What came is stored, even if the database is gone by now."""
    if run.batch is None:
        return
    try:
        await holes.detect_import(run.db, run.batch)
    except DATABASE_ERRORS as error:
        logger.warning("import %d is not looked at yet for what is missing: %s", run.batch, error)


async def import_body(
    db: Database, dataset: str, body: Body, options: Options = PLAIN, progress: Callable[[int], None] | None = None
) -> Answer:
    """Write the rows of a file. Raises what `import_rows` raises, BrokenBody, and OSError."""
    kind = await dataset_of(db, dataset, options)
    return await _import(db, kind, read.chunks(body, kind, options), options, progress)


async def import_files(
    db: Database,
    dataset: str,
    paths: Sequence[Path],
    options: Options = PLAIN,
    progress: Progress | None = None,
) -> Answer:
    """Write files, each wholly or not at all, and add up what became of them. `row` counts within its file.

    `progress` hears a file's name and how many of its rows were read. Raises BadOption, Unsupported, and BrokenBody,
    TooLarge or OSError naming the file; files before that one are stored then.
    """
    bodies = [body_of_file(path) for path in paths]
    for path in paths:
        path.open("rb").close()
    answer = Answer()
    for body in bodies:
        tell = None if progress is None else partial(progress, str(body.path))
        try:
            done = await import_body(db, dataset, body, _from_path(body.path, options), tell)
        except (BrokenBody, TooLarge) as error:
            raise type(error)(f"{body.path}: {error}") from error
        answer += done.of_file(str(body.path))
    return answer


def _from_path(path: Path, options: Options) -> Options:
    """A folder called `exchange=okx` says what a file in it need not say. Each file is an import of its own."""
    told = dict(part.split("=", 1) for part in path.parts if part.startswith("exchange=") and part != NO_EXCHANGE)
    writer = options.writer and replace(options.writer, file=str(path))
    return replace(options, assumed={**told, **options.assumed}, writer=writer)


async def _parts(run: Run, rows: Rows, progress: Callable[[int], None] | None) -> AsyncGenerator[Parts]:
    """Batches by fact, of one part of the body after the other."""
    async with aclosing(judged(run, rows)) as judging:
        async for part in judging:
            run.tally.received += part.received
            if run.options.max_rows is not None and run.tally.received > run.options.max_rows:
                raise TooLarge(f"more than {run.options.max_rows:,} rows in one call")
            yield await _placed(run, part)
            if progress is not None:
                progress(run.tally.received)


async def _placed(run: Run, part: Judged) -> Parts:
    """The good rows of a part with their series; the others are counted."""
    frame, named = part.frame, part.named
    places = await listing.places(run.db, await _directory(run), named.distinct)
    refuse_unplaced(frame, named, places)
    run.tally.refuse(frame.judge.count, frame.judge.rejects)
    good = np.flatnonzero(frame.judge.alive)
    series, units = series_of(places)
    codes = named.codes[good]
    found = checks.batches(part.facts, good, series[codes], units[codes])
    run.old.update(keeping.older(found, run.options.kept, run.now))
    return found


async def _directory(run: Run) -> Directory:
    """Loaded while the next part is being read."""
    if run.directory is None:
        run.directory = await listing.load(run.db, run.dataset.kinds, create_assets=run.options.create_assets)
    return run.directory


async def _store(run: Run, parts: AsyncGenerator[Parts]) -> Written:
    """Each fact in its transaction: the one the first rows are of as they come, others (seldom any) after it."""
    first = await _first(parts)
    if not first:
        await _nothing_to_store(run)
        return Written()
    main = next(iter(first))
    aside: dict[str, list[pa.RecordBatch]] = {}

    async def of_main() -> AsyncGenerator[pa.RecordBatch]:
        found: Parts | None = first
        while found is not None:
            for fact, batch in found.items():
                if fact == main:
                    yield batch
                else:
                    aside.setdefault(fact, []).append(batch)
            found = await anext(parts, None)

    written = await _put(run, main, of_main(), aside)
    while aside:
        fact, kept = aside.popitem()
        written += await _put(run, fact, kept, aside)
    return written


async def _first(parts: AsyncGenerator[Parts]) -> Parts | None:
    """The first part with a good row in it."""
    async for found in parts:
        if found:
            return found
    return None


async def _put(run: Run, fact: str, rows: store.Batches, left: Mapping[str, object]) -> Written:
    """Rows of a fact; the import is over with them when none are `left` after them."""
    directory = await _directory(run)

    async def make(copy: Driver) -> Mapping[int, int]:
        if run.dataset is TAKER_VOLUME:
            run.tally.notice(*await beside_candles.notices(copy, fact))
        return await listing.make(copy, directory, run.batch)

    async def tell(copy: Driver, written: Written) -> None:
        if run.batch is not None:
            await batches.count(copy, run.batch, written.received, written.inserted, written.updated)
            if not left:
                await _finish(run, copy)

    return await store.put(run.db, fact, rows, dry_run=run.options.dry_run, make=make, at_the_end=tell, batch=run.batch)


async def _finish(run: Run, copy: Driver) -> None:
    if run.batch is not None:
        await batches.finish(copy, run.batch, run.tally.received, run.tally.rejected_count)


async def _nothing_to_store(run: Run) -> None:
    if run.batch is not None:
        async with writing(run.db) as connection:
            await batches.drop(await driver(connection), run.batch)
        run.batch = None
