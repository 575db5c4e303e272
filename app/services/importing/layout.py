"""Which column of a body holds which field, and which are ignored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from app.services.importing.datasets import USUAL_NAMES, Dataset, Kind
from app.services.importing.options import Options

NAMED_COLUMNS = 50


@dataclass(frozen=True, slots=True)
class Layout:
    """`places`: field → number of its column. `ignored`: names of the columns nobody asked for."""

    places: dict[str, int]
    ignored: tuple[str, ...]


def lay_out(names: Sequence[str], dataset: Dataset, options: Options) -> Layout:
    """Fields to columns: a mapped column wins over one named like the field, a fixed value over both."""
    mapped = {field: at for field, column in options.renamed.items() if (at := _find(names, column)) is not None}
    taken = {*mapped.values(), *(_find(names, column) for column in options.left_out)}
    places = dict(mapped)
    for field in dataset.fields:
        at = _find(names, field)
        if at is not None and at not in taken and field not in {**places, **options.fixed}:
            places[field] = at
    if "rate" in {**mapped, **options.fixed} and "rate_native" not in mapped:
        places.pop("rate_native", None)
    used = set(places.values())
    ignored = (name for at, name in enumerate(names) if at not in used and name not in dataset.silent)
    return Layout(places, tuple(ignored))


def _find(names: Sequence[str], wanted: str) -> int | None:
    """The first column of this name: as written, else in any case."""
    if wanted in names:
        return names.index(wanted)
    folded = [name.strip().lower() for name in names]
    return folded.index(wanted.lower()) if wanted.lower() in folded else None


def words_of(names: Sequence[str], dataset: Dataset, options: Options) -> tuple[set[int], set[int]]:
    """Numbers of the columns that are needed, and of those among them that hold words."""
    places = lay_out(names, dataset, options).places
    words = {at for field, at in places.items() if dataset.fields[field].kind is Kind.WORD}
    return set(places.values()), words


def notices(ignored: Iterable[str], seen: Iterable[str], dataset: Dataset, options: Options) -> list[str]:
    """What to tell about columns: those ignored, each with the field it may be, and those mapped but not there."""
    columns = list(dict.fromkeys(ignored))
    there = {name.strip().lower() for name in seen}
    told = {*there, *options.renamed, *options.fixed}
    words = [f"column `{name}` was ignored{_hint(name, dataset, told)}" for name in columns[:NAMED_COLUMNS]]
    if len(columns) > NAMED_COLUMNS:
        words.append(f"{len(columns) - NAMED_COLUMNS} more columns were ignored")
    if {"rate", "rate_native"} <= there and "rate_native" not in columns:
        words.append("`rate_native` was stored where a row has it, not `rate`: `GET` gives that on another basis")
    absent = (column for column in options.renamed.values() if column.lower() not in there)
    return words + [f"there is no column `{column}` to map" for column in absent]


def _hint(name: str, dataset: Dataset, told: Collection[str]) -> str:
    """The field a column may be, unless something else tells that field."""
    key = name.strip().lower()
    usual = USUAL_NAMES.get(key)
    near = [usual] if usual in dataset.fields else get_close_matches(key, dataset.fields, 1, 0.65)
    return f"; map it to `{near[0]}` if it is that" if near and near[0] not in told else ""
