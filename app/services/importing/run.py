"""An import: rows are read and judged in a thread, one part ahead of the database."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from app.db import Database
from app.services import store
from app.services.importing import layout, listing, read
from app.services.importing.answer import Answer, Tally
from app.services.importing.body import Body, BrokenBody, TooLarge, body_of_file
from app.services.importing.checks import CHECKS, Facts, batches
from app.services.importing.datasets import Dataset
from app.services.importing.frame import Chunk, Frame
from app.services.importing.identity import Directory
from app.services.importing.naming import Naming, naming, refuse_unplaced, series_of
from app.services.importing.options import Options, dataset_named
from app.services.store import Written

Rows = Iterable[pa.RecordBatch | Chunk] | AsyncIterable[pa.RecordBatch | Chunk]
Parts = Mapping[str, pa.RecordBatch]
Progress = Callable[[str, int], None]
PLAIN = Options()
T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """One import under way."""

    db: Database
    dataset: Dataset
    options: Options
    now: datetime
    directory: Directory | None = None
    tally: Tally = field(default_factory=Tally)
    seen: dict[str, None] = field(default_factory=dict[str, None])
    ignored: dict[str, None] = field(default_factory=dict[str, None])


@dataclass(frozen=True, slots=True)
class Judged:
    """A part of a body after all that needs no database."""

    frame: Frame
    facts: Facts
    named: Naming
    received: int


async def import_rows(
    db: Database,
    dataset: str,
    rows: Rows,
    options: Options = PLAIN,
    progress: Callable[[int], None] | None = None,
) -> Answer:
    """Write rows of a dataset: all good ones of a fact, or, when this raises, none of them.

    `rows` come as record batches whose columns are named as in the contract or as `options` say. `progress` hears how
    many were read so far. Raises BadOption, TooLarge, whatever reading raises, and whatever the database raises.
    """
    kind = dataset_named(dataset)
    run = Run(db, kind, options, datetime.now(UTC))
    async with aclosing(_parts(run, rows, progress)) as parts:
        written = await _store(run, parts)
    run.tally.notice(*layout.notices(run.ignored, run.seen, kind, options))
    run.tally.notice(*(run.directory.news() if run.directory else ()))
    if options.dry_run:
        run.tally.notice("dry run: nothing was written")
    return run.tally.answer(written.inserted, written.updated)


async def import_body(
    db: Database, dataset: str, body: Body, options: Options = PLAIN, progress: Callable[[int], None] | None = None
) -> Answer:
    """Write the rows of a file. Raises what `import_rows` raises, BrokenBody, and OSError."""
    return await import_rows(db, dataset, read.chunks(body, dataset_named(dataset), options), options, progress)


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
    """A folder called `exchange=okx` says what a file in it need not say."""
    told = dict(part.split("=", 1) for part in path.parts if part.startswith("exchange="))
    return replace(options, assumed={**told, **options.assumed})


async def _parts(run: Run, rows: Rows, progress: Callable[[int], None] | None) -> AsyncGenerator[Parts]:
    """Batches by fact, of one part of the body after the other."""
    async with aclosing(_judged(run, rows)) as judged:
        async for part in judged:
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
    return batches(part.facts, good, series[codes], units[codes])


async def _directory(run: Run) -> Directory:
    """Loaded while the next part is being read."""
    if run.directory is None:
        run.directory = await listing.load(run.db, create_assets=run.options.create_assets)
    return run.directory


async def _judged(run: Run, rows: Rows) -> AsyncGenerator[Judged]:
    """Parts judged as far as that needs no database."""
    if isinstance(rows, AsyncIterable):
        number = 0
        async for batch in rows:
            chunk = _chunk(batch, number)
            number += chunk.received
            yield await asyncio.to_thread(_judge, run, chunk)
    else:
        async with aclosing(_ahead(_judge_all(run, rows))) as ahead:
            async for judged in ahead:
                yield judged


def _judge_all(run: Run, rows: Iterable[pa.RecordBatch | Chunk]) -> Generator[Judged]:
    number = 0
    with closing(_iterated(rows)) as each:
        for batch in each:
            chunk = _chunk(batch, number)
            number += chunk.received
            yield _judge(run, chunk)


def _iterated(rows: Iterable[T]) -> Generator[T]:
    yield from rows


def _chunk(batch: pa.RecordBatch | Chunk, number: int) -> Chunk:
    return batch if isinstance(batch, Chunk) else Chunk(batch, np.arange(number, number + batch.num_rows))


def _judge(run: Run, chunk: Chunk) -> Judged:
    frame = Frame(chunk, run.dataset, run.options, run.now)
    run.seen.update(dict.fromkeys(frame.names))
    run.ignored.update(dict.fromkeys(frame.ignored))
    facts = CHECKS[run.dataset.name](frame)
    return Judged(frame, facts, naming(frame, run.options.source), chunk.received)


async def _ahead(items: Generator[T]) -> AsyncGenerator[T]:
    """The items, each made in a thread while the one before is used."""
    loop = asyncio.get_running_loop()
    with closing(items), ThreadPoolExecutor(1, "import") as thread:
        coming = loop.run_in_executor(thread, _next, items)
        try:
            while (item := await coming) is not None:
                coming = loop.run_in_executor(thread, _next, items)
                yield item
        finally:
            if not coming.cancel() and not coming.cancelled():
                coming.exception()


def _next(items: Iterator[T]) -> T | None:
    return next(items, None)


async def _store(run: Run, parts: AsyncGenerator[Parts]) -> Written:
    """Each fact in its transaction: the one the first rows are of as they come, others (seldom any) after it."""
    first = await _first(parts)
    if not first:
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

    written = await _put(run, main, of_main())
    for fact, kept in aside.items():
        written += await _put(run, fact, kept)
    return written


async def _first(parts: AsyncGenerator[Parts]) -> Parts | None:
    """The first part with a good row in it."""
    async for found in parts:
        if found:
            return found
    return None


async def _put(run: Run, fact: str, rows: store.Batches) -> Written:
    make = partial(listing.make, directory=await _directory(run))
    return await store.put(run.db, fact, rows, dry_run=run.options.dry_run, make=make)
