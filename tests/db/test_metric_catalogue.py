"""What sources are known to tell."""

from dataclasses import replace

from app.db import Database
from app.records import Metric
from app.services.metrics import put_catalogue


async def test_a_catalogue_that_is_right_is_not_written_again(clean_database: Database) -> None:
    metric = Metric("TVL", "TVL", "USD", "fundamental", "daily", "instant")
    versions = []
    for told in (metric, metric, replace(metric, unit="EUR")):
        await put_catalogue(clean_database, "vendor", [told])
        versions.append(await clean_database.reads.fetchval("select xmin::text || unit from metric"))
    assert versions[0] == versions[1] != versions[2]
