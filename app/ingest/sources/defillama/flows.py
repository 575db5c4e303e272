"""Flows into and out of protocols. What upstream calls `outflows` is the net flow, negative where money left."""

from math import isfinite, nan

from app.ingest.sources.defillama import metrics
from app.ingest.sources.defillama.naming import Told
from app.ingest.sources.defillama.parents import SLUG
from app.ingest.sources.defillama.reading import API, DAY, ask, batch, midnight, number, pieces, values
from app.ingest.spec import Json, Request, Rows, Window, Wire


class Flow(Wire):
    """`{"outflows":-160563462.25,"oldTokens":{"date":1700005031,"tvl":{...}},"currentTokens":{...}}`"""

    outflows: Json


def _request(window: Window) -> Request:
    day_before = round((window.end - DAY).timestamp())
    return ask(API, "/inflows", window.subjects[0], str(day_before))


def flows(answer: Flow, window: Window) -> Rows:
    """The net flow of the last 24 hours as an inflow or an outflow, of which the other is 0."""
    try:
        net = number(answer.outflows)
    except ValueError:
        net = nan
    if net is None:
        return
    gross = [Told(metrics.INFLOW, max(net, 0.0)), Told(metrics.OUTFLOW, max(-net, 0.0))]
    told = gross if isfinite(net) else [Told(metrics.INFLOW, answer.outflows)]
    yield from values(told, SLUG, window.subjects[0], midnight(window.start))


NOW = batch(_request, Flow, flows, pieces(SLUG, ["INFLOW"], live=True), history=False, needs_key=True)
