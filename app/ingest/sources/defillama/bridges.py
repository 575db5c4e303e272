"""Bridges: volume of all now, volume of one day by day. Half of what is paid in and paid out is the volume."""

from collections.abc import Iterator

from app.ingest import spec
from app.ingest.sources.defillama import metrics
from app.ingest.sources.defillama.listing import Kind, Raw, listing, things
from app.ingest.sources.defillama.naming import Told
from app.ingest.sources.defillama.reading import BRIDGES, Dated, ask, batch, days, number, pieces
from app.ingest.spec import Json, Request, Rows, Window, Wire

BRIDGE = Kind("bridge_id", "id", "displayName")
VOLUMES = {
    "lastDailyVolume": metrics.BRIDGE_VOLUME_24H,
    "weeklyVolume": metrics.BRIDGE_VOLUME_7D,
    "monthlyVolume": metrics.BRIDGE_VOLUME_30D,
}


class Bridges(Wire):
    """`{"bridges":[...]}`"""

    bridges: spec.SomeRows


def _numbers(row: Raw) -> Iterator[Told]:
    """`{"id":11,"displayName":"Synapse","lastDailyVolume":86.5,"weeklyVolume":270.5,"monthlyVolume":1043,...}`"""
    return (Told(metric, row.get(key)) for key, metric in VOLUMES.items())


def bridges(answer: Bridges, window: Window) -> Rows:
    """What there is, and its volume of the last complete days."""
    return things(BRIDGE, answer.bridges, _numbers, window)


class Volume(Dated):
    """`{"date":"1666396800","depositUSD":2769237,"withdrawUSD":4515497,"depositTxs":327,"withdrawTxs":259}`"""

    depositUSD: Json = None
    withdrawUSD: Json = None


def half(deposited: Json, withdrawn: Json) -> Json:
    """Half of both, None where one is not told; what is no amount is handed on, and refused as a value."""
    try:
        amounts = [number(deposited), number(withdrawn)]
    except ValueError:
        return [deposited, withdrawn]
    told = [amount for amount in amounts if amount is not None]
    if len(told) < 2:
        return None
    return min(told) if min(told) < 0 else sum(told) / 2


def _bridge(window: Window) -> Request:
    return ask(BRIDGES, "/bridgevolume/all", id=window.subjects[0])


def volumes(answer: list[Json], window: Window) -> Rows:
    """Volume day by day."""

    def numbers(row: Volume) -> list[Told]:
        return [Told(metrics.BRIDGE_VOLUME, half(row.depositUSD, row.withdrawUSD))]

    return days(Volume, answer, numbers, BRIDGE.id_type, window)


NOW = listing(ask(BRIDGES, "/bridges"), Bridges, bridges)
DAYS = batch(_bridge, list[Json], volumes, pieces(BRIDGE.id_type, ["BRIDGE_VOLUME"], live=False), history=True)
