"""Every source, held to the same rules: a new one is tested by being there, and this file stays as it is.

Each feed has a payload in the upstream's documented shape, `tests/payloads/<source>/<dataset>_<scope>.json` (`_2` for a
second one of the same; `.csv` of a source that answers in text), and beside it `.expected.json`: the window asked for,
the request and what each row becomes.
"""

import ast
import dataclasses
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.ingest import sources
from app.ingest.sources import load
from app.ingest.spec import Bad, Feed, Problem, Request, Source, Window
from app.records import Candle, Instrument, Listed, Metric, PerpHour
from tests.forms import FORMS, Form

PAYLOADS = Path(__file__).parents[1] / "payloads"
SOURCES = load()


@dataclass(frozen=True)
class Case:
    """One feed of one source with its payload."""

    source: Source
    feed: Feed
    stem: str

    @property
    def form(self) -> Form:
        return FORMS[self.source.answers]

    @property
    def raw(self) -> bytes:
        return (PAYLOADS / self.source.id / f"{self.stem}.{self.form.suffix}").read_bytes()

    @property
    def body(self) -> Any:
        return self.form.apart(self.raw)

    @property
    def expected(self) -> dict[str, Any]:
        return json.loads((PAYLOADS / self.source.id / f"{self.stem}.expected.json").read_bytes())

    @property
    def window(self) -> Window:
        told = self.expected["window"]
        return Window(
            datetime.fromisoformat(told["start"]),
            datetime.fromisoformat(told["end"]),
            Instrument(**told["instrument"]) if "instrument" in told else None,
            {symbol: Instrument(symbol, symbol, "USDT") for symbol in told.get("instruments", ())},
            told.get("cursor"),
            tuple(told.get("subjects", ())),
            tuple(told.get("exchanges", ())),
            tuple(told.get("columns", ())),
        )


def cases() -> Iterator[Case]:
    for source in SOURCES.values():
        seen: Counter[str] = Counter()
        for feed in (*source.feeds, *source.polls):
            stem = f"{feed.dataset}_{feed.scope}"
            seen[stem] += 1
            yield Case(source, feed, stem if seen[stem] == 1 else f"{stem}_{seen[stem]}")


def of_each(found: Iterator[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.source.id}-{case.stem}") for case in found])


every_feed = of_each(cases())
every_json = of_each(case for case in cases() if case.source.answers == "json")
every_table = of_each(case for case in cases() if case.source.answers == "text")
every_source = pytest.mark.parametrize("source", [pytest.param(s, id=s.id) for s in SOURCES.values()])


class ToldUs(Exception):
    """The answer says itself that it is none."""


UNREAD = (ValidationError, json.JSONDecodeError, UnicodeDecodeError, ToldUs)


def read(source: Source, feed: Feed, raw: bytes, window: Window) -> list[Any]:
    """What becomes of an answer with status 200, as the engine reads it: one item a row."""
    body = FORMS[source.answers].says(raw)
    if source.problem(200, body) is not None:
        raise ToldUs
    return list(feed.rows(TypeAdapter(feed.answer).validate_python(body), window))


def plain(item: Any) -> Any:
    """A record as JSON without what is left at its default; a bad row without its words."""
    if item is None:
        return None
    if isinstance(item, Bad):
        return {"bad": item.code, "symbol": item.symbol}
    told = {f.name: getattr(item, f.name) for f in dataclasses.fields(item) if getattr(item, f.name) != f.default}
    return {"record": type(item).__name__, **{name: _plain_value(value) for name, value in told.items()}}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Metric):
        return value.name
    if isinstance(value, tuple):
        return [_plain_value(one) for one in value]
    return value.total_seconds() if isinstance(value, timedelta) else value


def plain_request(request: Request) -> dict[str, Any]:
    told = {"method": request.method, "path": request.path, "costs": dict(request.costs)}
    return (
        told
        | ({"params": dict(request.params)} if request.params else {})
        | ({"body": request.body} if request.body else {})
    )


@every_feed
def test_rows_become_the_expected_records(case: Case) -> None:
    items = read(case.source, case.feed, case.raw, case.window)
    assert [plain(item) for item in items] == case.expected["rows"]


@every_feed
def test_a_known_window_makes_the_expected_request(case: Case) -> None:
    assert plain_request(case.feed.request(case.window)) == case.expected["request"]


@every_feed
def test_the_next_page_is_the_expected_one(case: Case) -> None:
    cursor = case.feed.next_cursor
    answer = TypeAdapter(case.feed.answer).validate_python(case.form.says(case.raw))
    assert (cursor and cursor(answer)) == case.expected.get("next_cursor")
    if cursor:
        turned = dataclasses.replace(case.window, cursor=cursor(answer))
        assert case.feed.request(turned) != case.feed.request(case.window)


def key(item: Any) -> tuple[Any, ...]:
    """What a record is of."""
    parts = ("symbol", "time", "exchange", "metric", "id_type")
    return (type(item), *(getattr(item, part, None) for part in parts))


@every_feed
def test_records_are_told_apart_by_their_keys(case: Case) -> None:
    items = read(case.source, case.feed, case.raw, case.window)
    keys = [key(item) for item in items if item is not None and not isinstance(item, Bad)]
    assert keys
    assert len(set(keys)) == len(keys)


@every_feed
def test_times_are_aware_and_inside_the_window(case: Case) -> None:
    window = case.window
    for item in read(case.source, case.feed, case.raw, window):
        if item is None or isinstance(item, Bad | Listed):
            continue
        assert item.time.utcoffset() == timedelta(0)
        assert window.holds(item.time) or not case.feed.history
        if isinstance(item, Candle):
            assert item.interval == case.feed.step


@every_feed
def test_a_request_asks_for_both_ends_and_a_full_page(case: Case) -> None:
    window, request = case.window, case.feed.request
    if case.feed.history and case.feed.limit is not None:
        assert request(dataclasses.replace(window, start=window.start - timedelta(hours=1))) != request(window)
        assert request(dataclasses.replace(window, end=window.end + timedelta(hours=1))) != request(window)
    asked = dict(request(window).params)
    if case.feed.limit is not None and "limit" in asked:
        most = ceil((window.end - window.start) / case.feed.step) if case.feed.step else case.feed.limit
        assert asked["limit"] in (str(case.feed.limit), str(most))  # a full page, or as many as the window can hold


@every_feed
def test_a_request_is_paid_from_the_budgets_of_its_source(case: Case) -> None:
    costs = dict(case.feed.request(case.window).costs)
    assert costs
    assert set(costs) <= set(case.source.budgets)
    assert min(costs.values()) > 0


@every_feed
def test_facts_of_a_feed(case: Case) -> None:
    feed = case.feed
    assert feed.docs.startswith("https://")
    assert feed.every >= timedelta(minutes=1)
    assert feed.history or feed.keeps is None
    assert not (feed.history and feed.scope == "instrument") or feed.step


# Rubbish: nothing of it may become a record, and none may pass for an answer that holds nothing.

RUBBISH = {
    "nothing": b"",
    "html": b"<html><head><title>502 Bad Gateway</title></head></html>",
    "words": b"Failed to deserialize the JSON body into the target type",
    "bytes": b"\x1f\x8b\x08\x00\xff",
    "null": b"null",
    "number": b"42",
    "true": b"true",
    "text": b'"ok"',
    "object": b"{}",
    "empty rows": b'{"code": "0", "retCode": 0, "symbols": null, "data": null, "result": {"list": null}}',
    "rows in an object": b'{"code": "0", "retCode": 0, "symbols": {}, "data": {}, "result": {"list": {}}}',
    "null row": b"[null]",
    "text row": b'["a"]',
    "empty row": b"[[]]",
    "object row": b"[{}]",
    "two of nothing": b"[[], []]",
    "error": b'{"status": "error", "message": "something is wrong"}',
}


@every_feed
@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in RUBBISH.items()])
def test_rubbish_is_no_answer(case: Case, raw: bytes) -> None:
    try:
        items = read(case.source, case.feed, raw, case.window)
    except UNREAD:
        return
    assert all(isinstance(item, Bad) for item in items)
    assert items or (case.feed.history and case.source.answers == "text" and not raw)  # no rows, so no header


@every_feed
def test_an_answer_to_something_else_is_no_answer(case: Case) -> None:
    """What a source should refuse beyond the common rubbish stands in its `refused.json`, if it has one."""
    path = PAYLOADS / case.source.id / "refused.json"
    for body in json.loads(path.read_bytes()) if path.exists() else ():
        test_rubbish_is_no_answer(case, sent(case, body))


def sent(case: Case, body: Any) -> bytes:
    """A body of our notes as it comes."""
    return body.encode() if case.source.answers == "text" else json.dumps(body).encode()


@every_json
def test_an_answer_cut_off_is_no_answer(case: Case) -> None:
    raw = case.raw.rstrip()
    for part in (0.1, 0.5, 0.9, 0.99):
        with pytest.raises(UNREAD):
            read(case.source, case.feed, raw[: int(len(raw) * part)], case.window)


@every_table
def test_a_line_cut_off_is_no_row(case: Case) -> None:
    """Where lines end the rest may be missing unnoticed: that all has come is for HTTP to say."""
    lines = case.raw.splitlines(keepends=True)
    cut = b"".join(lines[:-1]) + lines[-1].rpartition(b",")[0]
    items = [plain(item) for item in read(case.source, case.feed, cut, case.window)]
    for item in read(case.source, case.feed, b"".join(lines[:-1]), case.window):
        items.remove(plain(item))
    assert items == [{"bad": "unreadable", "symbol": None}]


@every_feed
def test_no_rows_are_an_answer_only_about_a_window(case: Case) -> None:
    lists = [path for path, value in nodes(case.body) if isinstance(value, list) and holds_rows(case, path, value)]
    untouched = read(case.source, case.feed, case.raw, case.window)
    assert lists or case.feed.scope == "batch" or len(untouched) == 1  # which the answer is itself
    for path in lists:
        emptied = changed(case, path, [])
        if case.feed.scope == "batch":
            assert all(item in untouched for item in read(case.source, case.feed, emptied, case.window)), path
        elif case.feed.history:
            assert read(case.source, case.feed, emptied, case.window) == []
        else:
            with pytest.raises(UNREAD):
                read(case.source, case.feed, emptied, case.window)


def holds_rows(case: Case, path: tuple[Any, ...], value: list[Any]) -> bool:
    """Whether this is a list of rows, not a list within a row. An order book is a row, of which a side may be empty."""
    depth = 1 if case.feed.dataset == "depth" else 3
    return bool(value) and all(isinstance(row, dict | list) for row in value) and len(path) < depth


@every_feed
def test_an_error_of_the_upstream_is_no_answer(case: Case) -> None:
    for error in errors_of(case.source):
        with pytest.raises(UNREAD):
            read(case.source, case.feed, sent(case, error["body"]), case.window)


def errors_of(source: Source) -> list[dict[str, Any]]:
    return json.loads((PAYLOADS / source.id / "errors.json").read_bytes())


@every_source
def test_an_error_of_the_upstream_says_what_to_do(source: Source) -> None:
    for error in errors_of(source):
        told = source.problem(error["status"], error["body"])
        assert isinstance(told, Problem), error
        assert told.trouble == error["trouble"], error
        assert told.code
        assert told.message


@every_feed
def test_a_good_answer_is_no_problem(case: Case) -> None:
    assert case.source.problem(200, case.form.says(case.raw)) is None


# One value changed at a time: its row is Bad or its answer refused, or nobody reads the value. Never another record.

LABELS = {"instCategory", "coin", "id", "trade_id", "combo_id"}  # digits that are names, of which new ones may come
NOTHING = {("velo", "NaN")}  # how a source says that it has no value


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from nodes(value[key], (*path, key))


def changed(case: Case, path: tuple[Any, ...], value: Any) -> bytes:
    whole = [case.body]
    at: Any = whole
    for key in (inner := (0, *path))[:-1]:
        at = at[key]
    at[inner[-1]] = value
    return case.form.together(whole[0])


def is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def hours_of(items: list[Any]) -> dict[Any, Any]:
    return {key(item): item.values.items() for item in items if isinstance(item, PerpHour)}


def bads_of(items: list[Any]) -> Counter[Bad]:
    return Counter(item for item in items if isinstance(item, Bad))


def assert_never_another_record(case: Case, raw: bytes, untouched: list[Any], path: tuple[Any, ...]) -> None:
    try:
        items = read(case.source, case.feed, raw, case.window)
    except UNREAD:
        return
    if case.feed.dataset in ("fundamentals", "liquidations"):
        # many records of one row, of which some or all are Bad; a sum over rows has one less where a row is none at all
        same = key if isinstance(path[-1], int) else lambda item: item
        assert {same(item) for item in items if not isinstance(item, Bad)} <= {same(item) for item in untouched}, path
        return
    if case.feed.dataset == "perp_1h":
        # many columns of one row: of its hour a value or all may be missing, which a Bad tells; no other is touched
        before, left = hours_of(untouched), hours_of(items)
        assert all(values <= before[of] for of, values in left.items()), path
        lost = [of for of, values in before.items() if left.get(of) != values]
        assert len(lost) <= min(1, (bads_of(items) - bads_of(untouched)).total()), path
        return
    assert len(items) == len(untouched), path
    for item in items:
        assert isinstance(item, Bad) or item in untouched, (path, item)


@every_feed
@pytest.mark.parametrize("wrong", ["n/a", "NaN", "1e999"])
def test_a_number_that_is_none_never_becomes_a_record(case: Case, wrong: str) -> None:
    untouched = read(case.source, case.feed, case.raw, case.window)
    for path, value in nodes(case.body):
        if is_number(value) and path[-1] not in LABELS and (case.source.id, wrong) not in NOTHING:
            assert_never_another_record(case, changed(case, path, wrong), untouched, path)


@every_json
def test_a_value_of_another_type_never_becomes_a_record(case: Case) -> None:
    untouched = read(case.source, case.feed, case.raw, case.window)
    for path, value in nodes(case.body):
        if path:
            wrong: Any = [] if isinstance(value, dict) else {"no": 1}
            assert_never_another_record(case, changed(case, path, wrong), untouched, path)


STAMPS = {"usOut"}
"""When an answer was sent, where it says so: else it is of when it was asked for."""


@every_feed
def test_a_key_missing_in_the_envelope_is_no_answer(case: Case) -> None:
    untouched = read(case.source, case.feed, case.raw, case.window)
    for path, _ in nodes(case.body):
        if path and path[-1] not in STAMPS and not any(isinstance(key, int) for key in path):
            body = deepcopy(case.body)
            at = body
            for key in path[:-1]:
                at = at[key]
            del at[path[-1]]
            assert_never_another_record(case, json.dumps(body).encode(), untouched, path)


# Sources as a whole.


@every_source
def test_instruments_come_first(source: Source) -> None:
    assert source.feeds[0].dataset == "instruments" or {feed.dataset for feed in source.feeds} == {"fundamentals"}
    assert source.base_url.startswith("https://")
    assert source.docs.startswith("https://")
    assert source.terms


# perpetuals that trade, in autumn 2026; of Deribit's BTC and ETH also dated futures
MARKETS = {"binance": 700, "bybit": 760, "okx": 310, "hyperliquid": 175, "lighter": 240, "deribit": 26}
COLLECTED = 100  # of which the minute is told, unless there is a setting
SETTLES = timedelta(hours=1)  # the shortest interval there is: a contract is asked for settled funding when it is due


@every_source
def test_the_schedule_takes_at_most_a_third_of_each_budget(source: Source) -> None:
    taken: dict[str, float] = defaultdict(float)
    for case in (case for case in cases() if case.source is source):
        every = max(case.feed.every, SETTLES) if case.feed.dataset == "funding" else case.feed.every
        markets = COLLECTED if case.feed in source.polls else MARKETS.get(source.id, 500)
        calls = markets if case.feed.scope == "instrument" else 1
        asked = dataclasses.replace(case.window, start=case.window.end - max(every, timedelta(hours=1)))
        for budget, cost in case.feed.request(asked).costs:
            taken[budget] += cost * calls / every.total_seconds()
    for name, a_second in taken.items():
        budget = source.budgets[name]
        assert round(3 * a_second * budget.period.total_seconds(), 6) <= budget.limit, name


@every_source
def test_a_source_imports_nothing_that_could_do_more(source: Source) -> None:
    allowed = {*sys.stdlib_module_names, "pydantic", "app.ingest", "app.ingest.spec", "app.records"}
    own = f"{sources.__name__}.{source.id}"
    for node in (node for file in files_of(own) for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.ImportFrom):
            module = str(node.module)
            is_own = f"{module}.".startswith(f"{own}.")
            assert is_own or module in allowed or module.partition(".")[0] in sys.stdlib_module_names
            assert node.module != "app.ingest" or [name.name for name in node.names] == ["spec"]
        elif isinstance(node, ast.Import):
            assert {name.name.partition(".")[0] for name in node.names} <= allowed


def files_of(module: str) -> list[Path]:
    """The file of a source, or those of its package."""
    file = Path(str(import_module(module).__file__))
    return sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]


def test_a_source_is_found_by_being_there() -> None:
    here = Path(sources.__path__[0])
    found = {*(path.stem for path in here.glob("*.py")), *(path.parent.name for path in here.glob("*/__init__.py"))}
    assert set(SOURCES) == {name for name in found if not name.startswith("_")}
    assert all(source.id == name for name, source in SOURCES.items())


def test_sources_can_be_chosen() -> None:
    name = next(iter(SOURCES))
    assert list(load([name])) == [name]
    assert set(load(())) == set(SOURCES)
    with pytest.raises(ValueError, match="nowhere"):
        load(["nowhere"])


def test_a_source_bears_the_name_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(iter(SOURCES))
    monkeypatch.setattr(f"{sources.__name__}.{name}.SOURCE", dataclasses.replace(SOURCES[name], id="other"))
    with pytest.raises(TypeError, match=name):
        load([name])


def test_the_template_is_a_source_that_the_loader_passes_over() -> None:
    template: Source = import_module(f"{sources.__name__}._template").SOURCE
    assert template.id not in SOURCES
    window = Window(
        datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC), Instrument("ABC", "ABC", "USDC")
    )
    row = b'{"symbol": "ABC", "time": 1709280000000, "rate": "0.0001"}'
    [item] = read(template, template.feeds[1], b'{"code": 0, "rows": [%s]}' % row, window)
    assert plain(item) == {"record": "FundingRate", "symbol": "ABC", "time": "2024-03-01T08:00:00Z", "rate": 0.0001}
    assert dict(template.feeds[1].request(window).params)["to"] == "1709337599999"
    told = template.problem(200, {"code": 1015, "message": "slow down"})
    assert told
    assert told.trouble == "throttled"
