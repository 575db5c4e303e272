"""What calls of the replayed Deribit cost, and its moods."""

import time
from dataclasses import dataclass


@dataclass
class Pool:
    """Credits that come back with time; `refused` is how often there were not enough, `paid` how often there were."""

    most: float
    a_second: float
    cost: float
    left: float = 0.0
    at: float = 0.0
    refused: int = 0
    paid: int = 0

    def fill(self) -> None:
        self.left = self.most
        self.at, self.refused, self.paid = time.monotonic(), 0, 0

    def pays(self) -> bool:
        """Take what a call costs; False where that is not left."""
        now = time.monotonic()
        self.left, self.at = min(self.most, self.left + (now - self.at) * self.a_second), now
        if self.left < self.cost:
            self.refused += 1
            return False
        self.left -= self.cost
        self.paid += 1
        return True


@dataclass
class Mood:
    """What tests may change: so many of the next calls find no credits, or a settlement in progress."""

    spent: int = 0
    settling: int = 0

    def takes(self, name: str) -> bool:
        """Whether this call is one of those."""
        left = getattr(self, name)
        setattr(self, name, max(left - 1, 0))
        return left > 0


POOLS = {"credits": (50_000.0, 10_000.0, 500.0), "instruments": (500_000.0, 10_000.0, 10_000.0)}
mood = Mood()
pools = {name: Pool(*facts) for name, facts in POOLS.items()}


def calm(**facts: tuple[float, float, float]) -> None:
    """As it was in the beginning, with full pools; of some their size, credits a second and cost of a call."""
    mood.__dict__.update(Mood().__dict__)
    for name, pool in pools.items():
        pool.most, pool.a_second, pool.cost = facts.get(name, POOLS[name])
        pool.fill()


class Refusal(ValueError):
    """Asked wrongly: the code, the words, and what else is told."""


calm()
