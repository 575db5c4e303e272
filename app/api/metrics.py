"""Numbers for Prometheus: requests as they are counted here, and the state of the data as the database has it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import QueuePool

from app.api.times import utc_now
from app.db import Database
from app.services import collectors, gaps, quality

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
Expected = Sequence[tuple[str, str, float | None]]


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

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request was answered."""
        word = method if method in METHODS else "OTHER"
        self.requests.labels(word, path, str(status)).inc()
        self.seconds.labels(word, path).observe(seconds)

    async def scrape(self, db: Database, expected: Expected, readers: int) -> bytes:
        """All numbers, in Prometheus's text."""
        once = CollectorRegistry()
        following = GaugeMetricFamily("perpstore_stream_readers", "Who follows /stream now.", value=readers)
        told = [*await _pulls(db), *await _data(db, expected), *await _collectors(db), await _gaps(db), *_pools(db)]
        once.register(Told([*told, following]))
        return generate_latest(self.registry) + generate_latest(once)


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
    up = GaugeMetricFamily("perpstore_collector_up", "1 where a live collector is connected.", labels=labels)
    lag = GaugeMetricFamily("perpstore_collector_lag_seconds", "Age of the newest row it heard.", labels=labels)
    heard = CounterMetricFamily("perpstore_collector_messages", "Messages it heard.", labels=labels)
    anew = CounterMetricFamily("perpstore_collector_reconnects", "How often it was opened anew.", labels=labels)
    dropped = CounterMetricFamily("perpstore_collector_dropped", "Messages and rows it dropped.", labels=labels)
    for row in await db.reads.fetch(query.text, *query.arguments):
        name = [row["source"], row["id"]]
        up.add_metric(name, float(row["state"] == "connected"))
        if row["lag_s"] is not None:
            lag.add_metric(name, row["lag_s"])
        for family, count in ((heard, row["messages"]), (anew, row["reconnects"]), (dropped, row["dropped"])):
            family.add_metric(name, count)
    return iter((up, lag, heard, anew, dropped))


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
