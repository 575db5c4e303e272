"""Pages of the reference that are read off the code: metrics for Prometheus, fields of rows, sources by datasets."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.api import metrics as counted
from app.api import openapi
from app.api.schemas import all_rows, fields
from app.ingest.sources import load
from app.ingest.spec import Feed, Source
from scripts.pages import NOTE, application, table

KINDS = {"Counter": "counter", "CounterMetricFamily": "counter", "GaugeMetricFamily": "gauge", "Histogram": "histogram"}
METRICS = """# Metrics

What `/metrics` tells Prometheus. A counter's series end in `_total`, those of a histogram in `_bucket`, `_sum` and
`_count`. Dashboards and alerts on them: [Watch it](../how-to/monitoring.md).

"""
DATA = """# Data dictionary

Every kind of row in an answer, and what each field means. Times are RFC 3339 in UTC, or epoch milliseconds with
`time_format=ms`. A field that may be null is still always there; null means that it is not known, never zero.
`GET /datasets` tells the same to a program.

"""


def metrics() -> str:
    """Every metric for Prometheus with its labels and meaning."""
    tree = ast.parse(Path(counted.__file__).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = sorted(row for function in functions for row in _metrics_of(function))
    return NOTE + METRICS + table(["metric", "kind", "labels", "meaning"], found)


def _metrics_of(function: ast.AST) -> Iterator[list[str]]:
    """Those made in a function: by a call, or as an item `name: (meaning, value)` of a dictionary of gauges."""
    named = dict(_sequences(function))
    for node in ast.walk(function):
        match node:
            case ast.Call(ast.Name(kind), [ast.Constant(str(name)), ast.Constant(str(about)), *more]) if kind in KINDS:
                given = next((word.value for word in node.keywords if word.arg == "labels"), more[0] if more else None)
                yield [f"`{name}`", KINDS[kind], _labels(given, named), about]
            case ast.Dict(keys, values):
                for key, value in zip(keys, values, strict=True):
                    match key, value:
                        case ast.Constant(str(name)), ast.Tuple([ast.Constant(str(about)), _]):
                            yield [f"`{name}`", "gauge", "", about]
                        case _:
                            pass
            case _:
                pass


def _sequences(function: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The tuples that names are given in a function."""
    for node in ast.walk(function):
        match node:
            case ast.Assign([ast.Name(name)], ast.Tuple() as value):
                yield name, value
            case ast.Assign([ast.Tuple(names)], ast.Tuple(values)):
                yield from ((n.id, v) for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name))
            case _:
                pass


def _labels(given: ast.expr | None, named: Mapping[str, ast.expr]) -> str:
    match given:
        case ast.Name(name):
            return _labels(named[name], named)
        case ast.Starred(value):
            return _labels(value, named)
        case ast.Tuple(items):
            return ", ".join(_labels(item, named) for item in items)
        case ast.Constant(str(label)):
            return f"`{label}`"
        case _:
            return ""


def data() -> str:
    """Every kind of row, and its fields."""
    paths: dict[str, list[str]] = {}
    for told in openapi.datasets(application()):
        paths.setdefault(told["row"], []).append(f"`{told['path']}`")
    rows = sorted((row for row in all_rows() if fields(row)), key=lambda row: row.__name__)
    facts = [_row(row, paths[row.__name__]) for row in rows if row.__name__ in paths]
    others = [_row(row, []) for row in rows if row.__name__ not in paths]
    return NOTE + DATA + "\n".join([*facts, "# Of other answers\n", *others]).replace("# Of other", "## Of other")


def _row(row: Any, paths: list[str]) -> str:
    told = [
        [f"`{f['field']}`", f["kind"], f["unit"] or "", "yes" if f["nullable"] else "", f["description"] or ""]
        for f in fields(row)
    ]
    where = f"\n{', '.join(paths)}\n" if paths else ""
    about = " ".join((row.__doc__ or "").split())
    return f"## {row.__name__}\n\n{about}\n{where}\n{table(['field', 'kind', 'unit', 'null', 'meaning'], told)}"


ACROSS: Mapping[str, tuple[str, ...]] = {
    "contracts": ("instruments",),
    "settled funding": ("funding",),
    "predicted": ("predicted_funding", "perp_snapshot"),
    "open interest": ("open_interest", "perp_snapshot"),
    "candles 1m": ("candles_1m",),
    "candles 1h": ("candles_1h",),
    "hourly aggregates": ("perp_1h",),
    "options": ("option_chain",),
    "fundamentals": ("fundamentals",),
}


def across() -> None:
    """Print the table of sources by datasets: how far back each goes, and who is heard live."""
    rows = [
        [f"[{s.name}]({s.docs})", *(_reach(s, datasets) for datasets in ACROSS.values()), _live(s), _key(s)]
        for s in load(None).values()
    ]
    print("\n" + table(["source", *ACROSS, "live", "key"], rows))


def _reach(source: Source, datasets: tuple[str, ...]) -> str:
    feeds = [feed for feed in source.feeds if feed.dataset in datasets]
    if not feeds:
        return "–"
    return "yes" if datasets == ("instruments",) else max(map(_history, feeds))[1]


def _history(feed: Feed) -> tuple[float, str]:
    """How far back a feed goes, to compare and to say."""
    if not feed.history:
        return 0, "now"
    if feed.keeps is None:
        return float("inf"), "since listing"
    days = feed.keeps.total_seconds() / 86400
    return days, f"{days:.0f} days"


def _live(source: Source) -> str:
    return "yes" if source.sockets else "–"


def _key(source: Source) -> str:
    if source.key is None:
        return "none"
    return f"`{source.key}`" if source.key_required else "optional"
