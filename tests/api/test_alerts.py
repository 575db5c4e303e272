"""Alert rules: each speaks of metrics and labels that /metrics has. There is no promtool: they are read, not run."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.db import Database
from app.services import collectors, gaps, log
from app.services.budgets import Ledger
from app.settings import Settings
from tests.apps import asking, made
from tests.conftest import ROOT
from tests.db import facts
from tests.db.facts import without_days
from tests.db.minutes import tell

RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
BY_PROMETHEUS = {"up": {"job", "instance"}}
OF_TARGET = {"job", "instance"}
WORDS = {"increase", "sum", "by", "on", "and", "ignoring"}
TOKEN = re.compile(
    r"\s+|(?P<name>[a-z_]\w*)|(?P<matchers>\{[^{}]*\})|(?P<range>\[\d+[smhd]\])|(?P<number>\d+(\.\d+)?)"
    r"|(?P<open>\()|(?P<close>\))|(?P<operator>==|[<>/+*,-])"
)
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def tokens(expression: str) -> Iterator[tuple[str, str]]:
    """The words of an expression; fails at what is none."""
    at = 0
    while at < len(expression):
        found = TOKEN.match(expression, at)
        assert found, f"what is this: {expression[at:]}"
        at = found.end()
        if found.lastgroup:
            yield found.lastgroup, found[0]


@pytest.fixture
async def scraped(clean_database: Database, tmp_path: Path) -> AsyncIterator[dict[str, set[str]]]:
    """Metrics of an application that has something of everything, with the labels of each."""
    db, now = clean_database, datetime.now(UTC)
    series = await facts.series(db, "binance", "BTCUSDT")
    ago = (now - timedelta(days=4) - facts.DAY) // timedelta(minutes=1)
    await tell(db, series, [ago])
    await gaps.note(db, [gaps.Hole(series, "trades", now - timedelta(hours=1), now)])
    await log.reject(db, "binance", "funding", [log.Rejected("not_finite", "BTCUSDT", "rate is nan", 3)])
    await Ledger(db).throttled("binance")
    report = collectors.Report("deribit:BTC", "deribit", "BTC", "connected", 200, now, now, 5000, 12.5, 1.5, 2, 3, None)
    await collectors.tell(db, "deribit", [report])
    async with asking(made(Settings(scheduler=False, backfills=False, database_dir=tmp_path), db)) as client:
        text = (await client.get("/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    yield found | BY_PROMETHEUS
    await without_days(db, "perp_1m")


async def test_every_alert_speaks_of_what_there_is(scraped: dict[str, set[str]]) -> None:
    for rule in RULES:
        labels: set[str] = set()
        told = list(tokens(rule["expr"]))
        grouping = {
            word
            for group in re.findall(r"\b(?:by|on|ignoring) \(([^)]*)\)", rule["expr"])
            for word in group.split(", ")
        }
        for place, (kind, word) in enumerate(told):
            if kind != "name" or word in WORDS | grouping:
                continue
            assert word in scraped, f"{rule['alert']}: no metric {word}"
            labels |= scraped[word]
            if [kind for kind, _ in told[place + 1 : place + 2]] == ["matchers"]:
                matched = MATCHER.findall(told[place + 1][1])
                assert matched
                assert {name for name, _, _ in matched} <= scraped[word] | OF_TARGET
        assert grouping <= labels
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        kept = grouping if "by (" in rule["expr"] else labels | OF_TARGET
        assert shown <= kept, rule["alert"]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_is_well_formed(rule: dict[str, object]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert set(rule["annotations"]) == {"summary", "action"}  # type: ignore[call-overload]
    assert rule["labels"] in ({"severity": "warning"}, {"severity": "critical"})
    assert re.fullmatch(r"\d+[mh]", str(rule.get("for", "1m")))
    depth, kinds = 0, [kind for kind, _ in tokens(str(rule["expr"]))]
    for kind in kinds:
        depth += (kind == "open") - (kind == "close")
        assert depth >= 0
    assert depth == 0
    assert kinds[-1] in ("number", "name", "close")


def test_all_that_is_to_be_watched_is() -> None:
    assert {rule["alert"] for rule in RULES} == {
        *("PerpstoreDown", "MinutesOld", "DataLate", "GapsOpen", "RejectsRising", "UpstreamThrottles"),
        *("CollectorDrops", "CollectorDown", "CollectorBehind", "DiskFilling", "DiskFullSoon"),
    }


async def test_answers_of_429_are_counted(client: httpx.AsyncClient, clean_database: Database) -> None:
    """From zero on, so that the first one is an increase."""
    before = (await client.get("/metrics")).text
    assert 'perpstore_rejects_total{dataset="funding",source="okx"} 0.0' in before
    assert 'perpstore_upstream_throttled_total{source="okx"} 0.0' in before
    for _ in range(3):
        await Ledger(clean_database).throttled("okx")
    assert 'perpstore_upstream_throttled_total{source="okx"} 3.0' in (await client.get("/metrics")).text


async def test_a_collector_whose_process_is_gone_is_down(client: httpx.AsyncClient, clean_database: Database) -> None:
    now = datetime.now(UTC)
    report = collectors.Report("deribit:BTC", "deribit", "BTC", "connected", 200, now, now, 5000, 12.5, 1.5, 2, 3, None)
    await collectors.tell(clean_database, "deribit", [report])
    for silent, shown in ((0, "1.0"), (300, "0.0"), (100_000, None)):
        told_at = now - timedelta(seconds=silent)
        await clean_database.reads.execute("update collector set updated_at = $1", told_at)
        text = (await client.get("/metrics")).text
        found = re.search(r'perpstore_collector_up\{collector="deribit:BTC".*\} (.*)', text)
        assert (found and found[1]) == shown
