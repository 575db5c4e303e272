"""How rows are to be read: columns renamed and fixed, who is the source, what may be made."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from app.services.batches import Writer
from app.services.importing.datasets import DATASETS, Dataset

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class BadOption(ValueError):
    """An option that cannot be followed: its parameter, the value given, and why not."""

    def __init__(self, parameter: str, value: str, reason: str) -> None:
        super().__init__(f"{parameter} {value}: {reason}")
        self.parameter = parameter
        self.value = value
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Options:
    """`renamed`: field → column of the body. `fixed`: field → its value in every row. `max_rows`: None is no bound.

    `assumed`: field → its value where a body has no column of it. `left_out`: columns that are not to be read.
    `writer`: who is told to have brought the rows, so that they can be taken back; None: nobody. `kept`: fact → the
    days it is kept; what is not in it, or 0, is kept for ever.
    """

    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    assumed: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str = "import"
    create_assets: bool = False
    dry_run: bool = False
    max_rows: int | None = None
    left_out: tuple[str, ...] = ()
    writer: Writer | None = None
    kept: Mapping[str, int] = field(default_factory=dict[str, int])


def dataset_named(name: str) -> Dataset:
    """The dataset of this name. Raises BadOption."""
    if name not in DATASETS:
        raise BadOption("dataset", name, f"datasets that can be written: {', '.join(DATASETS)}")
    return DATASETS[name]


def options(
    dataset: str,
    *,
    columns: Iterable[tuple[str, str]] = (),
    values: Iterable[tuple[str, str]] = (),
    source: str = "import",
    create_assets: bool = False,
    dry_run: bool = False,
    max_rows: int | None = None,
) -> Options:
    """Options from words: `columns` are (column, field or '' to leave it out), `values` (field, value).

    Raises BadOption; of a dataset that is `open` names of fields are judged when the import begins.
    """
    kind = dataset_named(dataset)
    fields = None if kind.open else kind.fields
    renamed: dict[str, str] = {}
    columns = list(columns)
    left_out = tuple(column for column, name in columns if not name)
    for column, name in columns:
        if not name:
            continue
        _check(fields, renamed, "map", f"{column}:{name}", name)
        renamed[name] = column
    fixed: dict[str, str] = {}
    for name, value in values:
        _check(fields, {**renamed, **fixed}, "set", f"{name}:{value}", name)
        fixed[name] = value
    if not SLUG.fullmatch(source.lower()):
        raise BadOption("source", source, "a source is a slug: letters, digits, `-` and `_`")
    return Options(renamed, fixed, {}, source.lower(), create_assets, dry_run, max_rows, left_out)


def check_names(dataset: Dataset, told: Options) -> None:
    """Raises BadOption where options tell of fields the dataset does not have."""
    for name, column in told.renamed.items():
        _check(dataset.fields, (), "map", f"{column}:{name}", name)
    for name, value in told.fixed.items():
        _check(dataset.fields, (), "set", f"{name}:{value}", name)


def _check(fields: Iterable[str] | None, taken: Iterable[str], parameter: str, value: str, name: str) -> None:
    names = [name] if fields is None else list(fields)
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"nearest: {near[0]}" if near else f"fields: {', '.join(names)}"
        raise BadOption(parameter, value, f"`{name}` is not a field; {hint}")
    if name in taken:
        raise BadOption(parameter, value, f"`{name}` is told twice")


def pair(parameter: str, word: str) -> tuple[str, str]:
    """`from:to` or `field:value` in two; the one that may hold colons is the column or the value. Raises BadOption.

    `from:` maps a column to nothing.
    """
    left, colon, right = word.rpartition(":") if parameter == "map" else word.partition(":")
    if not (left and colon and (right or parameter == "map")):
        raise BadOption(parameter, word, "two words with `:` between them are expected")
    return left, right
