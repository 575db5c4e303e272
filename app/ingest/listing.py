"""What an exchange lists: its contracts as they are now, whichever feed tells of them. Who is not is gone.

list_contracts ── work.asked ── pages.fetch ── reference.put_instruments ── upkeep.retire
"""

from collections.abc import Collection, Sequence

from app.ingest import places
from app.ingest.pages import Fetched
from app.ingest.spec import Window
from app.ingest.work import Job, asked
from app.records import FundingInterval, Instrument, Product, SourceAsset
from app.services import products, reference, source_assets, store, upkeep


async def list_contracts(job: Job) -> None:
    """Contracts as their exchange lists them, then what it tells of them apart. Who is not listed any more is gone."""
    feeds, answers = job.feeds(), list[Fetched]()
    job.planned = len(feeds)
    for feed in feeds:
        job.known = await places.listed(job.engine.db, job.source)
        now = job.engine.web.now()
        found = await asked(job, feed, Window(now, now, instruments=job.known))
        if found is not None:
            answers.append(found)
            await _put(job, found)
        job.done += 1
        job.tell()
    if len(answers) == len(feeds):
        await _retire_missing(job, answers)


async def _put(job: Job, found: Fetched) -> None:
    told = [row for row in found.records if isinstance(row, Instrument | FundingInterval)]
    sold = [row for row in found.records if isinstance(row, Product)]
    new = await reference.put_instruments(job.engine.db, job.source.id, told)
    new += await _put_products(job, sold) if sold else 0
    job.keeper.tally.received += len(told) + len(sold)
    job.keeper.tally.written += store.Written(len(told) + len(sold), new)


async def _put_products(job: Job, sold: Collection[Product]) -> int:
    """What an aggregator lists, and its names of coins: those of no entity we know are among the unmapped."""
    coins = sorted({product.coin for product in sold})
    listed = [SourceAsset("coin", coin, coin, coin) for coin in coins]
    await source_assets.put_source_assets(job.engine.db, job.source.id, listed)
    return await products.put_products(job.engine.db, job.source.id, list(sold))


async def _retire_missing(job: Job, answers: Sequence[Fetched]) -> None:
    """Who is on none of the lists, when all have come.

    Who is listed again comes back with the next list, so that a list cut short does not do harm for long.
    """
    listed = {row.symbol for found in answers for row in found.records if isinstance(row, Instrument)}
    unread = {row.symbol for found in answers for row in found.bad}
    if listed and None not in unread:
        gone = [one.symbol for one in job.known.values() if one.active and one.symbol not in listed | unread]
        await upkeep.retire(job.engine.db, job.source.id, gone)
