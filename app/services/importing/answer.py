"""What became of an import: counts, the rows that were refused and why, and what the sender should know."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

NAMED = 1_000
"""How many refused rows an answer names; all are counted."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was refused. `row` counts data rows of its body from 0; `code` is a stable word."""

    row: int
    code: str
    reason: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Counts of an import: received = inserted + updated + unchanged + rejected_count.

    `imports`: its number, by which it can be taken back; one each where several answers are added up.
    """

    received: int = 0
    inserted: int = 0
    updated: int = 0
    rejected_count: int = 0
    rejected: tuple[Reject, ...] = ()
    notices: tuple[str, ...] = ()
    imports: tuple[int, ...] = ()

    @property
    def unchanged(self) -> int:
        """Good rows that changed nothing: stored already, or told again by a later row of the same body."""
        return self.received - self.inserted - self.updated - self.rejected_count

    def __add__(self, other: "Answer") -> "Answer":
        return Answer(
            self.received + other.received,
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.rejected_count + other.rejected_count,
            (self.rejected + other.rejected)[:NAMED],
            tuple(dict.fromkeys(self.notices + other.notices)),
            self.imports + other.imports,
        )

    def of_file(self, name: str) -> "Answer":
        """The same, its refused rows marked with the file they are of."""
        return replace(self, rejected=tuple(replace(reject, file=name) for reject in self.rejected))

    def document(self) -> dict[str, object]:
        """As the API and the command line say it; `file` only where there is one, `import_id` null of several."""
        return {
            "import_id": self.imports[0] if len(self.imports) == 1 else None,
            "received": self.received,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected_count": self.rejected_count,
            "rejected": [_said(reject) for reject in self.rejected],
            "notices": list(self.notices),
        }


def _said(reject: Reject) -> dict[str, object]:
    named = {} if reject.file is None else {"file": reject.file}
    return {**named, "row": reject.row, "code": reject.code, "reason": reject.reason}


@dataclass(slots=True)
class Tally:
    """The same while it is being counted."""

    received: int = 0
    rejected_count: int = 0
    rejected: list[Reject] = field(default_factory=list[Reject])
    notices: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def room(self) -> int:
        """How many more refused rows will be named."""
        return NAMED - len(self.rejected)

    def refuse(self, count: int, named: Iterable[Reject]) -> None:
        """Count refused rows of the next part of a body, and name the first of them."""
        self.rejected_count += count
        self.rejected.extend(sorted(named, key=lambda reject: reject.row)[: self.room])

    def notice(self, *words: str) -> None:
        """Tell the sender, once."""
        self.notices.update(dict.fromkeys(words))

    def answer(self, inserted: int, updated: int) -> Answer:
        """The counts as they stand."""
        told = tuple(self.rejected), tuple(self.notices)
        return Answer(self.received, inserted, updated, self.rejected_count, *told)
