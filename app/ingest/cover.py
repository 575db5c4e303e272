"""Few requests for much: boxes of exchanges x subjects x steps of time that cover all that is wanted.

Some upstreams count the cells of a request, whether there is something in them or not, and allow so many. What is
wanted are pairs of an exchange and a subject, not always all of a rectangle. So the pairs are put into families, each
asked as a rectangle, and each family is cut into boxes: so many subjects, so many steps. A cell of the rectangle that
nobody wants costs as much as one that is wanted; it is worth that where it saves a request.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import inf


@dataclass(frozen=True, slots=True)
class Limit:
    """What one request may ask for: `cells`, pairs x steps, and `subjects`, however few cells they are."""

    cells: int
    subjects: int


@dataclass(frozen=True, slots=True)
class Box:
    """One request: each of these exchanges x each of these subjects x `steps` steps from step `first` on."""

    exchanges: tuple[str, ...]
    subjects: tuple[str, ...]
    first: int
    steps: int


@dataclass(frozen=True, slots=True)
class _Family:
    """Subjects asked together, each of the same exchanges. The order of both is the same every time."""

    exchanges: tuple[str, ...]
    subjects: tuple[str, ...]

    def __or__(self, other: "_Family") -> "_Family":
        return _family({*self.exchanges, *other.exchanges}, {*self.subjects, *other.subjects})

    def __len__(self) -> int:
        return len(self.exchanges) * len(self.subjects)


def _family(exchanges: Iterable[str], subjects: Iterable[str]) -> _Family:
    return _Family(tuple(sorted(exchanges)), tuple(sorted(subjects)))


def boxes(pairs: Collection[tuple[str, str]], steps: int, limit: Limit) -> list[Box]:
    """Boxes that hold each pair (exchange, subject) at each of the `steps` exactly once, the earliest first.

    Not always the fewest there could be, but near: see the tests. Raises ValueError where a limit is below one.
    """
    if min(limit.cells, limit.subjects) < 1:
        raise ValueError(f"nothing may be asked for: {limit}")
    if steps < 1:
        return []
    plans = [_joined(families, steps, limit) for families in (_alike(pairs), _by_exchange(pairs))]
    families = min(plans, key=lambda plan: (sum(_requests(f, steps, limit) for f in plan), sum(map(len, plan))))
    cut = (box for family in families for box in _cut(family, steps, limit))
    return sorted(cut, key=lambda box: (box.first, box.exchanges, box.subjects))


def _alike(pairs: Collection[tuple[str, str]]) -> list[_Family]:
    """Subjects that are on the very same exchanges: no cell is wasted, but some families are small."""
    exchanges, subjects = defaultdict[str, set[str]](set), defaultdict[tuple[str, ...], set[str]](set)
    for exchange, subject in pairs:
        exchanges[subject].add(exchange)
    for subject, on in exchanges.items():
        subjects[tuple(sorted(on))].add(subject)
    return [_family(*family) for family in sorted(subjects.items())]


def _by_exchange(pairs: Collection[tuple[str, str]]) -> list[_Family]:
    """All subjects of an exchange: no cell is wasted, and a subject is in as many families as it has exchanges."""
    subjects = defaultdict[str, set[str]](set)
    for exchange, subject in pairs:
        subjects[exchange].add(subject)
    return [_family([exchange], of) for exchange, of in sorted(subjects.items())]


def _joined(families: list[_Family], steps: int, limit: Limit) -> list[_Family]:
    """The families, as many of them joined as saves requests: first those that waste the least for it.

    Of these two ways to begin, no two families joined hold a pair of a third, so no pair is asked for twice.
    """
    while True:
        found = min(_savings(families, steps, limit), default=None)
        if found is None:
            return families
        _, one, other = found
        rest = [family for index, family in enumerate(families) if index not in (one, other)]
        families = [*rest, families[one] | families[other]]


def _savings(families: Sequence[_Family], steps: int, limit: Limit) -> Iterator[tuple[float, int, int]]:
    """Each two families that are cheaper as one: pairs wasted for each request saved, and where they stand."""
    apart = [_requests(family, steps, limit) for family in families]
    for one, other in combinations(range(len(families)), 2):
        both = families[one] | families[other]
        saved = apart[one] + apart[other] - _requests(both, steps, limit)
        if saved > 0:
            yield (len(both) - len(families[one]) - len(families[other])) / saved, one, other


def _requests(family: _Family, steps: int, limit: Limit) -> float:
    """The fewest requests for a family; infinity where one of its subjects at one step is past the limit."""
    return _table(len(family.subjects), steps, limit.cells // len(family.exchanges), limit.subjects)[-1][0]


def _cut(family: _Family, steps: int, limit: Limit) -> Iterator[Box]:
    """The boxes of one family, with the fewest requests: groups of subjects, each in parts of time of its own."""
    table = _table(len(family.subjects), steps, limit.cells // len(family.exchanges), limit.subjects)
    left = len(family.subjects)
    while left:
        size, parts = table[left][1]
        begin = max(0, left - size)
        length = -(-steps // parts)
        for first in range(0, steps, length):
            yield Box(family.exchanges, family.subjects[begin:left], first, min(length, steps - first))
        left = begin


@lru_cache(maxsize=256)
def _table(subjects: int, steps: int, cells: int, most: int) -> tuple[tuple[float, tuple[int, int]], ...]:
    """For 0 … `subjects` subjects the fewest requests, and with which last group: its size and its parts of time.

    Dynamic programming: the fewest for n is, over all groups, its parts and the fewest for what is left of n.
    """
    groups = _groups(steps, cells, most)
    best = [(0.0, (0, 0))]
    for count in range(1, subjects + 1):
        ways = ((parts + best[max(0, count - size)][0], (size, parts)) for size, parts in groups)
        best.append(min(ways, default=(inf, (0, 0))))
    return tuple(best)


def _groups(steps: int, cells: int, most: int) -> list[tuple[int, int]]:
    """Groups that are worth a thought: the largest size for each number of parts the time is cut into."""
    found: dict[int, int] = {}
    for parts in range(1, steps + 1):
        size = min(cells // -(-steps // parts), most)
        if size:
            found.setdefault(size, parts)
    return list(found.items())
