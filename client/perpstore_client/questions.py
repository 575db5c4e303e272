"""All questions there are, by what they are about."""

from perpstore_client.market import Market
from perpstore_client.minutes import Minutes
from perpstore_client.options import Options
from perpstore_client.quality import Quality
from perpstore_client.question import Answer
from perpstore_client.reference import Reference


class Questions(Market[Answer], Minutes[Answer], Options[Answer], Reference[Answer], Quality[Answer]):
    """Each question once, for clients that wait and for those that await. All raise a `PerpstoreError`."""
