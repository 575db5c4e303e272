"""A body part by part, judged as far as that needs no database: in a thread, one part ahead of who takes them."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa

from app.db import Database
from app.services.importing.answer import Tally
from app.services.importing.checks import Facts
from app.services.importing.datasets import Dataset
from app.services.importing.frame import Chunk, Frame
from app.services.importing.identity import Directory
from app.services.importing.naming import Naming, naming
from app.services.importing.options import Options
from app.services.importing.rules import CHECKS

Rows = Iterable[pa.RecordBatch | Chunk] | AsyncIterable[pa.RecordBatch | Chunk]
T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """One import under way. `old`: how many rows of each fact are older than it is kept."""

    db: Database
    dataset: Dataset
    options: Options
    now: datetime
    batch: int | None = None
    directory: Directory | None = None
    tally: Tally = field(default_factory=Tally)
    seen: dict[str, None] = field(default_factory=dict[str, None])
    ignored: dict[str, None] = field(default_factory=dict[str, None])
    old: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Judged:
    """A part of a body after all that needs no database."""

    frame: Frame
    facts: Facts
    named: Naming
    received: int


async def judged(run: Run, rows: Rows) -> AsyncGenerator[Judged]:
    """The parts of `rows`, judged."""
    if isinstance(rows, AsyncIterable):
        number = 0
        async for batch in rows:
            chunk = _chunk(batch, number)
            number += chunk.received
            yield await asyncio.to_thread(_judge, run, chunk)
    else:
        async with aclosing(_ahead(_judge_all(run, rows))) as ahead:
            async for part in ahead:
                yield part


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
