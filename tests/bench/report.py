"""What a benchmark found, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """One measured ratio and the bound it is held to (`at least` or `at most`), with the two figures behind it."""

    name: str
    ratio: float
    bound: str
    figures: str


def show(lines: Sequence[Line]) -> None:
    """Print the ratios as a table."""
    table = Table("benchmark", "ratio", "wanted", "figures", title="Ratios, measured side by side")
    for line in lines:
        table.add_row(line.name, f"{line.ratio:.3g}", line.bound, line.figures)
    Console(width=160).print(table)
