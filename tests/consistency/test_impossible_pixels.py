"""A pixel that no source explains is told, with its place; a point source is not."""

from __future__ import annotations

import numpy as np

from leukospect.consistency import find_impossible_pixels
from tests.spot_acquisition import acquisition, orbit, spot_counts, with_counts

EMPTY = acquisition(orbit(0.0, "CC", 6), (12, 14), (9.0, 9.0))


def test_a_hot_pixel_is_told_with_its_place() -> None:
    counts = np.full((6, 12, 14), 20.0)
    counts[4, 7, 2] = 1e9
    (found,) = find_impossible_pixels(with_counts(EMPTY, counts))
    assert (found.view, found.row, found.column, found.counts) == (5, 8, 3, 1e9)
    assert "row 8, column 3" in found.sentence()


def test_a_bright_point_source_is_none() -> None:
    spots = spot_counts(EMPTY, [(8.0, -3.0, -40.0)], [1e7], sigma_mm=3.0)
    assert find_impossible_pixels(with_counts(EMPTY, spots)) == []
