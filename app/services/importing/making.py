"""Making what rows speak of and nobody has: written down with the import that makes it, so that it can be undone."""

from dataclasses import dataclass

from app.db import Driver
from app.services import batches
from app.services.queries import sql


@dataclass(frozen=True, slots=True)
class Making:
    """Where what is new is written, and the import that makes it, if it is to be told."""

    copy: Driver
    batch: int | None

    async def made(self, kind: str, statement: str, *arguments: object) -> None:
        """Run one of the statements that make, and write down what it made."""
        rows = await self.copy.fetch(sql("importing", statement), *arguments)
        if rows and self.batch is not None:
            await batches.note_made(self.copy, self.batch, kind, [row["id"] for row in rows])
