"""What `perpstore status` says of the disk."""

from dataclasses import asdict

import pytest

from app.cli.glance import told_of_disk
from app.services.growth import Disk, Forecast

DISK = Disk(500 * 10**9, 180 * 10**9, 320 * 10**9)


@pytest.mark.parametrize(
    ("forecast", "words"),
    [
        (Forecast(10**9, None, None, None, None), "not known (PERPSTORE_DATABASE_DIR), no day has ended yet"),
        (Forecast(10**9, 2e9, None, DISK, 160.0), "320 GB free of 500 GB, 2 GB a day, full in 160 days"),
        (Forecast(10**9, 2e9, 6e10, DISK, None), "320 GB free of 500 GB, 2 GB a day, the database settles at 60 GB"),
    ],
)
def test_the_disk_in_words(forecast: Forecast, words: str) -> None:
    assert told_of_disk(asdict(forecast)) == words
