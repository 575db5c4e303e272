"""Which rows of a part of a body are refused, each by the first rule it breaks."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from app.services.importing.answer import NAMED, Reject

Mask = NDArray[np.bool_]


class Judge:
    """Rows still good (`alive`), and those refused so far; as many are named as one answer can hold."""

    def __init__(self, numbers: NDArray[np.int64], unreadable: Iterable[Reject] = ()) -> None:
        self.numbers = numbers
        self.alive: Mask = np.ones(len(numbers), dtype=np.bool_)
        self.rejects = list(unreadable)
        self.count = len(self.rejects)

    def refuse(self, rows: Mask, code: str, reason: Callable[[int], str]) -> None:
        """Refuse these rows unless they are already; `reason` is asked for the rows that are named."""
        found = np.flatnonzero(rows & self.alive)
        if not len(found):
            return
        self.alive[found] = False
        self.count += len(found)
        self.rejects += [Reject(int(self.numbers[row]), code, reason(int(row))) for row in found[:NAMED]]
