"""How long a disk lasts, by arithmetic."""

from pathlib import Path

import pytest

from app.services.growth import Disk, days_until, disk_of, forecast, settled


@pytest.mark.parametrize(
    ("free", "rates", "days"),
    [
        (100.0, [(10.0, None)], 10.0),
        (100.0, [(10.0, None), (15.0, None)], 4.0),
        (100.0, [(10.0, 5.0)], None),
        (50.0, [(10.0, 5.0)], 5.0),
        (100.0, [(10.0, 5.0), (10.0, None)], 5.0),
        (100.0, [(10.0, 2.0), (10.0, None)], 8.0),
        (100.0, [(10.0, 0.0), (10.0, None)], 10.0),
        (100.0, [(10.0, 1.0), (20.0, 2.0), (5.0, None)], 10.0),
        (0.0, [(10.0, None)], 0.0),
        (0.0, [], None),
        (100.0, [(0.0, None)], None),
    ],
)
def test_when_it_is_full(free: float, rates: list[tuple[float, float | None]], days: float | None) -> None:
    assert days_until(free, rates) == days


def table(size: int, a_day: float | None, kept: int | None = None) -> dict[str, float | None]:
    return {"bytes": size, "bytes_per_day": a_day, "settles_at_bytes": settled(a_day, kept, 1.0)}


def test_a_table_settles_at_what_is_kept_and_the_day_that_is_about_to_go() -> None:
    assert settled(100.0, 10, 1.0) == 1100.0
    assert settled(100.0, None, 1.0) is None
    assert settled(None, 10, 1.0) is None


def test_a_database_that_goes_on_growing() -> None:
    found = forecast([table(500, 100.0, 10), table(50, 20.0), table(7, None)], 600, Disk(2000, 840, 1160))
    assert (found.bytes_per_day, found.settles_at_bytes) == (120.0, None)
    # 6 days until the first settles: 720 of 1160 bytes; then 20 a day.
    assert found.full_in_days == 6 + 440 / 20


def test_a_database_that_settles_never_fills_what_is_large_enough() -> None:
    tables = [table(500, 100.0, 10), table(50, 0.0), table(30, 0.0, 10)]
    found = forecast(tables, 600, Disk(2000, 840, 1160))
    assert (found.settles_at_bytes, found.full_in_days) == (600 + 600 - 30, None)
    assert forecast(tables, 600, Disk(2000, 1500, 500)).full_in_days == 5.0


def test_what_is_not_known_is_not_told() -> None:
    young = forecast([table(500, None, 10)], 600, Disk(2000, 840, 1160))
    assert (young.bytes_per_day, young.settles_at_bytes, young.full_in_days) == (None, None, None)
    elsewhere = forecast([table(500, 100.0)], 600, None)
    assert (elsewhere.bytes_per_day, elsewhere.disk, elsewhere.full_in_days) == (100.0, None, None)


def test_the_disk_of_a_folder(tmp_path: Path) -> None:
    disk = disk_of(tmp_path)
    assert disk is not None
    assert disk.total >= disk.used + disk.free > 0
    assert disk_of(tmp_path / "nowhere") is None
    assert disk_of(None) is None
