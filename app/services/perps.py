"""Which perpetuals a question is about: of one entity, narrowed by exchange, margin, source and what was known when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Margin = Literal["stable", "coin"]


@dataclass(frozen=True, slots=True)
class Perps:
    """All perpetuals of an entity, or fewer. None does not narrow."""

    entity_id: int
    exchanges: tuple[str, ...] | None = None
    margin: Margin | None = None
    source: str | None = None
    known_at: datetime | None = None

    @property
    def everything(self) -> bool:
        """True when no contract and no source is left out."""
        return (self.exchanges, self.margin, self.source) == (None, None, None)
