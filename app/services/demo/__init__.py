"""Generated data to try things out with: exchanges that do not exist, marked as such, put in and taken out as one.

world (who trades what) ── perps, bars, minutes, options, metrics (records, made of names and instants alone) ── loading
"""

from app.services.demo.loading import Loaded, NameTaken, load
from app.services.demo.removing import remove
from app.services.demo.world import EARLIEST

__all__ = ["EARLIEST", "Loaded", "NameTaken", "load", "remove"]
