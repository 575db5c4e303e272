"""A part of a body as its fields, whatever its columns are called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.records import CLOCK_SKEW, EARLIEST, LARGEST_QUANTITY
from app.services.importing import values
from app.services.importing.answer import Reject
from app.services.importing.datasets import Dataset
from app.services.importing.judge import Judge
from app.services.importing.layout import lay_out
from app.services.importing.options import Options
from app.services.importing.values import EPOCH, MICROSECOND, Words

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
NO_TIME = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a body: columns named as there, the number of each row, and the rows among them nobody could read.

    `names`: all columns there were, also those left unread.
    """

    rows: pa.RecordBatch
    numbers: NDArray[np.int64]
    unreadable: Sequence[Reject] = ()
    names: Sequence[str] = ()

    @property
    def received(self) -> int:
        """All rows, unreadable ones included."""
        return self.rows.num_rows + len(self.unreadable)


class Frame:
    """Fields of a chunk, and the judge of its rows. Fields that are absent are missing in every row."""

    def __init__(self, chunk: Chunk, dataset: Dataset, options: Options, now: datetime) -> None:
        self.size = chunk.rows.num_rows
        self.fields = dataset.fields
        self.names = chunk.names or chunk.rows.schema.names
        self.judge = Judge(chunk.numbers, chunk.unreadable)
        self.now_us = (now - EPOCH) // MICROSECOND
        self._columns = _columns(chunk, dataset, options)
        self.ignored = lay_out(self.names, dataset, options).ignored

    def has(self, field: str) -> bool:
        """Is there such a column?"""
        return field in self._columns

    def shown(self, field: str, row: int) -> str:
        """A value as it came, in code quotes."""
        return f"`{field}` is `{values.shown(self._columns[field], row)}`"

    def words(self, field: str) -> Words:
        """Words, none where the column is absent."""
        if field in self._columns:
            return values.words(self._columns[field])
        return Words(np.full(self.size, -1, dtype=np.intp), [""])

    def mark(self, field: str, rows: NDArray[np.bool_]) -> None:
        """Give these rows a word of this name, for those who read words after the rules."""
        places: values.Column = pa.array(rows.astype(np.int32), pa.int32())
        self._columns[field] = pa.DictionaryArray.from_arrays(places, pa.array(["", field]))

    def times(self, field: str, *, required: bool = False, latest: int | None = None) -> Times:
        """Epoch microseconds, NO_TIME where absent. Refuses what is no time, or before 2009, or after `latest`.

        `latest` is epoch microseconds; None is now, give or take five minutes.
        """
        if field not in self._columns:
            return self._absent_times(field, required=required)
        read = values.times(self._columns[field])
        moments = np.where(read.missing | read.bad, NO_TIME, read.values).astype(np.int64)
        refuse, there = self.judge.refuse, ~read.missing
        refuse(read.bad, "bad_time", lambda row: f"{self.shown(field, row)}, not a time: {TIMES_ARE}")
        if required:
            refuse(read.missing, f"no_{field}", lambda _: f"`{field}` is missing")
        refuse(there & (moments < EARLIEST_US), "time_out_of_range", lambda row: f"{self.shown(field, row)}: {EARLY}")
        last = self.now_us + CLOCK_SKEW // MICROSECOND if latest is None else latest
        refuse(there & (moments > last), "time_in_future", lambda row: f"{self.shown(field, row)}, in the future")
        return moments

    def _absent_times(self, field: str, *, required: bool) -> Times:
        if required:
            self.judge.refuse(self.everywhere, f"no_{field}", lambda _: f"`{field}` is missing")
        return np.full(self.size, NO_TIME, dtype=np.int64)

    def numbers(self, field: str) -> Floats:
        """Floats, NaN where absent. Refuses what is no number or not finite."""
        if field not in self._columns:
            return np.full(self.size, np.nan)
        read = values.numbers(self._columns[field])
        self.judge.refuse(read.bad, "bad_number", lambda row: f"{self.shown(field, row)}, not a number")
        infinite = ~np.isfinite(read.values) & ~read.missing
        self.judge.refuse(infinite, "not_finite", lambda row: f"{self.shown(field, row)}, not finite")
        return np.where(read.missing | read.bad, np.nan, read.values)

    def quantity(self, field: str, *, required: bool = False) -> Floats:
        """The same for what is never negative."""
        found = self.numbers(field)
        if required:
            self.judge.refuse(np.isnan(found), "no_value", lambda _: f"`{field}` is missing")
        self.judge.refuse(found < 0, "negative", lambda row: f"{self.shown(field, row)}, negative")
        large = found > LARGEST_QUANTITY
        self.judge.refuse(large, "quantity_out_of_range", lambda row: f"{self.shown(field, row)}, past any quantity")
        return found

    def one_of(
        self, field: str, meanings: Mapping[str, int], default: int, code: str, spell: Callable[[str], str] = str.lower
    ) -> NDArray[np.int16]:
        """Words, spelled by `spell`, as the numbers they mean; `default` where absent. Refuses others under `code`."""
        found = self.words(field)
        unknown = -99
        means = np.array([meanings.get(spell(word), unknown) for word in found.words] + [default], dtype=np.int16)
        numbers = np.where(found.codes < 0, default, means[found.codes]).astype(np.int16)
        known = ", ".join(f"`{word}`" for word in meanings)
        self.judge.refuse(numbers == unknown, code, lambda row: f"{self.shown(field, row)}; known are {known}")
        return numbers

    @property
    def everywhere(self) -> NDArray[np.bool_]:
        """A mask of all rows."""
        return np.ones(self.size, dtype=np.bool_)


TIMES_ARE = "RFC 3339, a date, or epoch seconds or milliseconds"
EARLY = f"before {EARLIEST.astimezone(UTC).date()}"
EARLIEST_US = (EARLIEST - EPOCH) // MICROSECOND


def _columns(chunk: Chunk, dataset: Dataset, options: Options) -> dict[str, values.Column]:
    """Field → column. A fixed value is a column of one word."""
    places = lay_out(chunk.rows.schema.names, dataset, options).places
    found: dict[str, values.Column] = {field: chunk.rows.column(at) for field, at in places.items()}
    told = {**{field: value for field, value in options.assumed.items() if field not in found}, **options.fixed}
    return {**found, **{field: values.same(value, chunk.rows.num_rows) for field, value in told.items()}}
