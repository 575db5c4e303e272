"""The distinct words rows name their contract with, and which rows name which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.services.importing import values
from app.services.importing.book import Named, Refusal
from app.services.importing.frame import Frame
from app.services.importing.listing import Place

WHO = ("exchange", "instrument", "asset", "source", "metric", "unit", "negative")


@dataclass(frozen=True, slots=True)
class Naming:
    """`distinct` words, and for each row of a frame the number of its own in them; −1 for rows that are refused."""

    distinct: list[Named]
    codes: NDArray[np.intp]


def naming(frame: Frame, source: str) -> Naming:
    """What the good rows of a frame name; `source` where they name none."""
    rows = np.flatnonzero(frame.judge.alive)
    words = [frame.words(field) for field in WHO]
    codes = np.zeros(len(rows), dtype=np.int64)
    for spelled in (told for field, told in zip(WHO, words, strict=True) if frame.has(field)):
        codes = values.numbered(codes * (len(spelled.words) + 1) + spelled.codes[rows] + 1)
    firsts = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.intp)
    firsts[codes[::-1]] = rows[::-1]
    named = [[_word(spelled.words, code) for code in spelled.codes[firsts].tolist()] for spelled in words]
    full = np.full(frame.size, -1, dtype=np.intp)
    full[rows] = codes
    distinct = (
        Named(exchange.lower(), symbol, asset, (own or source).lower(), *of_metric)
        for exchange, symbol, asset, own, *of_metric in zip(*named, strict=True)
    )
    return Naming(list(distinct), full)


def _word(words: list[str], code: int) -> str:
    return words[code] if code >= 0 else ""


def refuse_unplaced(frame: Frame, named: Naming, places: list[Place]) -> None:
    """Refuse the rows whose words mean no series."""
    refusals = {at: place for at, place in enumerate(places) if isinstance(place, Refusal)}
    for code in sorted({refusal.code for refusal in refusals.values()}):
        of_code = np.array([at in refusals and refusals[at].code == code for at in range(len(places))] + [False])
        frame.judge.refuse(of_code[named.codes], code, lambda row: refusals[int(named.codes[row])].reason)


def series_of(places: list[Place]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Series and unit by the number of the words; those of refused words mean nothing."""
    found = [(0, 1.0) if isinstance(place, Refusal) else place for place in places]
    series, units = zip(*found, strict=True) if found else ((), ())
    return np.array(series, dtype=np.int32), np.array(units, dtype=np.float64)
