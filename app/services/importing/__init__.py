"""Rows anybody brings: read from a body or file, judged, given to their series and stored."""

from app.services.batches import Writer
from app.services.importing.answer import Answer, Reject
from app.services.importing.body import Body, BrokenBody, Format, TooLarge, Unsupported, format_of
from app.services.importing.datasets import DATASETS
from app.services.importing.options import BadOption, Options, options, pair
from app.services.importing.run import import_body, import_files, import_rows

__all__ = [
    "DATASETS",
    "Answer",
    "BadOption",
    "Body",
    "BrokenBody",
    "Format",
    "Options",
    "Reject",
    "TooLarge",
    "Unsupported",
    "Writer",
    "format_of",
    "import_body",
    "import_files",
    "import_rows",
    "options",
    "pair",
]
