"""The stage that finds foci: planar views by their own counting noise, and what tells the course in time."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages, Radiopharmaceutical
from leukospect.errors import AssumptionWarning
from leukospect.planar_measurement import planar_slab
from leukospect.protocol import load_protocol
from leukospect.quantification.lesions import find_lesions
from leukospect.quantification.physiological_signs import Growth
from leukospect.registration import resample
from leukospect.study_foci import noise_of_planar, onto_late_grid

ROWS, COLUMNS, PIXEL_MM = 80, 64, 5.0


def planar(seed: int, contrast: float) -> PlanarImages:
    """Draw an anterior view of a trunk of 20 counts a pixel with one round place that counts more."""
    row, column = np.indices((ROWS, COLUMNS))
    rate = np.where(np.abs(column - 31.5) <= 24, 20.0, 0.0)
    rate[np.hypot(row - 40, column - 20) <= 3] *= contrast
    counts = np.random.default_rng(seed).poisson(rate).astype(np.float32)
    header = AcquisitionHeader("STATIC", radiopharmaceutical=Radiopharmaceutical("Tc-99m"))
    window = EnergyWindow(((126.45, 154.55),), "photopeak")
    place = np.array([[-157.5, -200.0, 197.5]])
    return PlanarImages(
        counts[None, None], (window,), ("anterior",), (PIXEL_MM, PIXEL_MM), np.array([300.0]), header, place
    )


def test_the_noise_of_a_view_is_that_of_its_counts() -> None:
    view = planar(1, 1.0)
    slab = planar_slab(view, 0, 0)
    drawn = noise_of_planar(view, slab, load_protocol("planar-tc99m"), view=0, window=0)
    assert len(drawn) == 3
    inside = np.asarray(view.counts[0, 0]) > 0
    spread = np.std([np.asarray(one.array)[:, 0, :][inside] for one in drawn])
    assert spread == pytest.approx(np.sqrt(20.0) / 300.0, rel=0.05)
    again = noise_of_planar(view, slab, load_protocol("planar-tc99m"), view=0, window=0)
    assert all(np.array_equal(one.array, other.array) for one, other in zip(drawn, again, strict=True))


def test_a_warm_place_is_found_in_a_view_and_noise_is_not() -> None:
    protocol = load_protocol("planar-tc99m")
    found, false = 0, 0
    for seed in range(4):
        for contrast in (1.0, 2.0):
            view = planar(seed, contrast)
            slab = planar_slab(view, 0, 0)
            noise = noise_of_planar(view, slab, protocol, view=0, window=0)
            with pytest.warns(AssumptionWarning, match="outline was estimated"):
                _, regions = find_lesions(slab, body=None, minimum_contrast=1.25, noise=noise)
            lesions = [region for region in regions if region.role == "lesion"]
            if contrast == 1.0:
                false += len(lesions)
                continue
            place = Geometry.axial((ROWS, 1, COLUMNS), (-PIXEL_MM, 100.0, PIXEL_MM), (-157.5, 0.0, 197.5)).to_lps(
                (40, 0, 20)
            )
            found += any(np.linalg.norm(np.subtract(region.centroid_mm, place)) < 8.0 for region in lesions)
    assert found == 4
    assert false <= 1


def test_growth_is_sure_only_beyond_its_noise() -> None:
    assert Growth(1.6, 0.02).beyond(1.5, deviations=1.64)
    assert not Growth(1.6, 0.10).beyond(1.5, deviations=1.64)
    assert not Growth().beyond(1.2, deviations=1.64)


def test_an_earlier_image_lies_on_the_late_grid_as_labels_lie_on_its_own() -> None:
    late = Geometry.axial((20, 24, 28), (4.0, 4.0, 4.0), (-54.0, -46.0, -38.0))
    first = Geometry.axial((22, 26, 30), (4.0, 4.0, 4.0), (-50.0, -52.0, -46.0))
    angle = np.radians(12.0)
    to_late = np.eye(4)
    to_late[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    to_late[:3, 3] = (9.0, -5.0, 12.0)
    x, y, z = np.moveaxis(first.to_lps(np.moveaxis(np.indices(first.shape), 0, -1)), -1, 0)
    image = Image((200.0 + x - 2.0 * y + 0.5 * z).astype(np.float32), first, "counts/s/mL")

    def carry(labels: Image) -> Image:
        return resample(labels, first, fixed_to_moving=to_late, interpolation="nearest")

    [brought], known = onto_late_grid([image], carry, late)
    points = late.to_lps(np.moveaxis(np.indices(late.shape), 0, -1))
    there = (points - to_late[:3, 3]) @ to_late[:3, :3]
    expected = 200.0 + there @ np.array([1.0, -2.0, 0.5])
    assert brought.unit == "counts/s/mL"
    assert 0.3 < known.mean() < 1.0
    # A voxel takes what lies within it or, where nothing does, in its neighbour: off by half a voxel's or a whole
    # voxel's diagonal at most.
    slope = float(np.linalg.norm([1.0, -2.0, 0.5]))
    error = np.abs(brought.array - expected)[known]
    assert np.quantile(error, 0.9) <= slope * 2.0 * np.sqrt(3.0)
    assert abs(float(np.mean((brought.array - expected)[known]))) <= 0.1 * slope * 4.0
    outside = np.any((first.to_index(there) < -1.5) | (first.to_index(there) > np.array(first.shape) + 0.5), axis=-1)
    assert not known[outside].any()
