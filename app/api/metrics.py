"""Numbers for Prometheus: requests as they are counted here, and the state of the data as the database has it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import QueuePool

from app.api.times import utc_now
from app.db import Database
from app.services import budgets, collectors, gaps, quality, storage

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
Expected = Sequence[tuple[str, str, float | None]]
MEASURED_EVERY = 60.0
"""Seconds between two looks at how large everything is: of a year of days that takes a while."""
TOLD_LATELY, FORGOTTEN = 60.0, 86_400.0
"""A collector tells of itself every few seconds. Who has not for so long is gone; for a day: is not expected back."""


class Told(Collector):
    """Metrics made beforehand, for one scrape."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self.metrics


class Metrics:
    """What one application counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "path")
        self.requests = Counter("perpstore_requests", "Requests answered.", (*labels, "status"), registry=self.registry)
        self.seconds = Histogram(
            "perpstore_request_seconds", "Time to answer.", labels, registry=self.registry, buckets=SECONDS
        )
        self._sizes: list[Metric] = []
        self._measured_at = -MEASURED_EVERY

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request was answered."""
        word = method if method in METHODS else "OTHER"
        self.requests.labels(word, path, str(status)).inc()
        self.seconds.labels(word, path).observe(seconds)

    async def scrape(
        self, db: Database, expected: Expected, readers: int, kept: Mapping[str, int], folder: Path | None
    ) -> bytes:
        """All numbers, in Prometheus's text. `kept`: days of facts; `folder`: on the disk the database is on."""
        once = CollectorRegistry()
        following = GaugeMetricFamily("perpstore_stream_readers", "Who follows /stream now.", value=readers)
        told = [*await _pulls(db), *await _refused(db, expected), *await _data(db, expected)]
        state = [*await _collectors(db), await _gaps(db), *await self._storage(db, kept, folder), *_pools(db)]
        once.register(Told([*told, *state, following]))
        return generate_latest(self.registry) + generate_latest(once)

    async def _storage(self, db: Database, kept: Mapping[str, int], folder: Path | None) -> Sequence[Metric]:
        now = time.monotonic()
        if now - self._measured_at >= MEASURED_EVERY:
            self._sizes, self._measured_at = await _sizes(db, kept, folder), now
        return self._sizes


async def _pulls(db: Database) -> Iterator[Metric]:
    found = await db.reads.fetch(quality.PULL_COUNTS)
    pulls = CounterMetricFamily("perpstore_pulls", "Pulls in the log.", labels=("source", "dataset", "status"))
    rows = CounterMetricFamily("perpstore_rows_inserted", "Rows pulls inserted.", labels=("source", "dataset"))
    refused = CounterMetricFamily("perpstore_rows_rejected", "Rows pulls refused.", labels=("source", "dataset"))
    sums: dict[tuple[str, str], list[int]] = {}
    for row in found:
        pulls.add_metric([row["source"], row["dataset"], row["status"]], row["pulls"])
        total = sums.setdefault((row["source"], row["dataset"]), [0, 0])
        total[0] += row["inserted"]
        total[1] += row["rejected"]
    for labels, (inserted, rejected) in sums.items():
        rows.add_metric(labels, inserted)
        refused.add_metric(labels, rejected)
    return iter((pulls, rows, refused))


async def _refused(db: Database, expected: Expected) -> Iterator[Metric]:
    """What was refused, by us and by upstreams; 0 of all that is asked for, so that the first one is an increase."""
    rows = {(source, dataset): 0 for source, dataset, _ in expected}
    rows |= {(row["source"], row["dataset"]): row["rejects"] for row in await db.reads.fetch(quality.REJECT_COUNTS)}
    answers = dict.fromkeys((source for source, _, _ in expected), 0) | dict(await budgets.throttles(db))
    rejects = CounterMetricFamily("perpstore_rejects", "Rows that were refused.", labels=("source", "dataset"))
    throttled = CounterMetricFamily(
        "perpstore_upstream_throttled", "Answers that we ask too often (429).", labels=("source",)
    )
    for labels, count in rows.items():
        rejects.add_metric(labels, count)
    for source, count in answers.items():
        throttled.add_metric([source], count)
    return iter((rejects, throttled))


async def _data(db: Database, expected: Expected) -> Iterator[Metric]:
    query = quality.freshness(expected, utc_now())
    labels = ("source", "dataset")
    age = GaugeMetricFamily("perpstore_data_age_seconds", "Age of the newest fact.", labels=labels)
    late = GaugeMetricFamily("perpstore_data_late", "1 where newer facts are overdue.", labels=labels)
    for row in await db.reads.fetch(query.text, *query.arguments):
        name = [row["source"], row["dataset"]]
        if row["age_s"] is not None:
            age.add_metric(name, row["age_s"])
        if row["late"] is not None:
            late.add_metric(name, float(row["late"]))
    return iter((age, late))


async def _collectors(db: Database) -> Iterator[Metric]:
    query, labels = collectors.collectors(), ("source", "collector")
    up = GaugeMetricFamily("perpstore_collector_up", "1 where a live collector is there and connected.", labels=labels)
    silent = GaugeMetricFamily("perpstore_collector_silent_seconds", "Since its last message.", labels=labels)
    lag = GaugeMetricFamily("perpstore_collector_lag_seconds", "Age of the newest row it heard.", labels=labels)
    heard = CounterMetricFamily("perpstore_collector_messages", "Messages it heard.", labels=labels)
    anew = CounterMetricFamily("perpstore_collector_reconnects", "How often it was opened anew.", labels=labels)
    dropped = CounterMetricFamily("perpstore_collector_dropped", "Messages and rows it dropped.", labels=labels)
    now = utc_now()
    for row in await db.reads.fetch(query.text, *query.arguments):
        name, told = [row["source"], row["id"]], (now - row["updated_at"]).total_seconds()
        if told > FORGOTTEN:
            continue
        up.add_metric(name, float(told < TOLD_LATELY and row["state"] == "connected"))
        if row["age_s"] is not None:
            silent.add_metric(name, row["age_s"])
        if row["lag_s"] is not None:
            lag.add_metric(name, row["lag_s"])
        for family, count in ((heard, row["messages"]), (anew, row["reconnects"]), (dropped, row["dropped"])):
            family.add_metric(name, count)
    return iter((up, silent, lag, heard, anew, dropped))


async def _gaps(db: Database) -> Metric:
    found = GaugeMetricFamily("perpstore_gaps", "Gaps in the ledger.", labels=("state", "dataset"))
    for row in await gaps.counts(db):
        found.add_metric([row["state"], row["dataset"]], row["gaps"])
    return found


def _pools(db: Database) -> Iterator[Metric]:
    pool = GaugeMetricFamily("perpstore_db_connections", "Database connections.", labels=("pool", "state"))
    idle = db.reads.get_idle_size()
    pool.add_metric(["reads", "idle"], idle)
    pool.add_metric(["reads", "busy"], db.reads.get_size() - idle)
    writes = cast(QueuePool, db.engine.pool)
    pool.add_metric(["writes", "idle"], writes.checkedin())
    pool.add_metric(["writes", "busy"], writes.checkedout())
    return iter((pool,))


async def _sizes(db: Database, kept: Mapping[str, int], folder: Path | None) -> list[Metric]:
    """How large tables, database and disk are, and for how long the disk lasts; what is not known is not there."""
    tables = await storage.tables(db, kept, utc_now())
    size = GaugeMetricFamily("perpstore_table_bytes", "Size of a table with its indexes.", labels=("table",))
    rows = GaugeMetricFamily("perpstore_table_rows", "Its rows, as the planner estimates.", labels=("table",))
    for row in tables:
        size.add_metric([row["table"]], row["bytes"])
        if row["rows_estimated"] is not None:
            rows.add_metric([row["table"]], row["rows_estimated"])
    told = await storage.forecast(db, tables, folder)
    whole = GaugeMetricFamily("perpstore_database_bytes", "Size of the database.", value=told.database_bytes)
    disk = GaugeMetricFamily("perpstore_disk_bytes", "The disk the database is on.", labels=("state",))
    for state in ("used", "free", "total") if told.disk else ():
        disk.add_metric([state], getattr(told.disk, state))
    known = {
        "perpstore_database_bytes_per_day": ("What a day adds to the database.", told.bytes_per_day),
        "perpstore_database_settles_at_bytes": ("What it comes to by retention.", told.settles_at_bytes),
        "perpstore_disk_full_in_days": ("Days until the disk is full.", told.full_in_days),
    }
    gauges = [
        GaugeMetricFamily(name, about, value=value) for name, (about, value) in known.items() if value is not None
    ]
    return [size, rows, whole, disk, *gauges]
