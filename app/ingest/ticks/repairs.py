"""When to ask for trades that are missing, and when to give them up. No I/O, no clock."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.ingest.ticks.sequences import Hole

GRACE = timedelta(seconds=3)
"""Trades may come out of order: so long those left out are waited for."""
PAUSES = (timedelta(seconds=10), timedelta(minutes=1))
"""Between one answer without them and the next question; after the last one they are given up."""
TROUBLED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Turn:
    """When a hole is to be asked for next, and how often it was answered in vain."""

    at: datetime
    answers: int = 0


@dataclass(slots=True)
class Repairs:
    """Whose turn it is, of the holes there are."""

    _turns: dict[Hole, _Turn] = field(default_factory=dict[Hole, _Turn])

    def due(self, holes: Collection[Hole], now: datetime) -> list[Hole]:
        """Which of these, that are all there are, are to be asked for now, the newest first."""
        self._turns = {hole: self._turns.get(hole) or _Turn(now + GRACE) for hole in holes}
        due = (hole for hole, turn in self._turns.items() if turn.at <= now)
        return sorted(due, key=lambda hole: (hole.until, hole.last), reverse=True)

    def answered(self, hole: Hole, left: Collection[Hole], now: datetime) -> list[Hole]:
        """A hole was asked for and this is left of it; returns what of it is given up."""
        answers = self._turns.pop(hole, _Turn(now)).answers
        if answers >= len(PAUSES):
            return [*left]
        self._turns |= {one: _Turn(now + PAUSES[answers], answers + 1) for one in left}
        return []

    def failed(self, hole: Hole, now: datetime) -> None:
        """It was not answered."""
        self._turns[hole] = _Turn(now + TROUBLED, self._turns.get(hole, _Turn(now)).answers)
