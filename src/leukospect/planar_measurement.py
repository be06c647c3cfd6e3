"""One planar view as it is measured: its photopeak, as an image one voxel deep, its background, and chosen noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, PlanarImages
from leukospect.physics.windows import find_photopeaks, nuclide_of_windows
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Measurement, Region
from leukospect.quantification.planar import measure_planar
from leukospect.quantification.planar_combined import RING, above_background, drawn_background, rings
from leukospect.resampling import selection_bias_in_view

_PLANAR_SEEDS = 50_000_017
_SLAB_MM = 100.0
"""Thickness given to a planar view where lesions are looked for in it: a limb's, so that areas become volumes."""


def photopeak_of_planar(planar: PlanarImages, protocol: Protocol) -> tuple[int, float]:
    """Give the index of the photopeak window of planar images (the highest where there are two), and the half-life."""
    recorded = planar.header.radiopharmaceutical
    named = protocol.nuclide or (recorded.nuclide if recorded else None)
    source = nuclide_of_windows(planar.energy_windows, named)
    return find_photopeaks(planar.energy_windows, source)[-1].peak, source.half_life_s


def planar_slab(planar: PlanarImages, view: int, window: int) -> Image:
    """Make an image, one voxel deep, of an anterior view with a position: counts per second and pixel."""
    if planar.first_pixel_mm is None:
        raise ValueError("the planar view has no position")
    x, _, z = planar.first_pixel_mm[view]
    rows, columns = planar.counts.shape[2:]
    axial, transverse = planar.pixel_mm
    geometry = Geometry.axial((rows, 1, columns), (-axial, _SLAB_MM, transverse), (float(x), 0.0, float(z)))
    rate = planar.counts[window, view] / np.float32(planar.view_duration_s[view])
    return Image(rate[:, None, :], replace(geometry), "counts/s/pixel")


def with_selection_bias(
    measured: tuple[Measurement, ...],
    planar: PlanarImages,
    window: int,
    view: int,
    labels: Image,
    regions: Sequence[Region],
    protocol: Protocol,
) -> tuple[Measurement, ...]:
    """Say what choosing regions in this view put on them; chosen in a SPECT, it was by other noise."""
    slab = planar_slab(planar, view, window)
    if not labels.geometry.same_grid(slab.geometry):
        return measured
    first = protocol.uncertainty.seed + _PLANAR_SEEDS
    seeds = range(first, first + protocol.uncertainty.replicates)
    bias = selection_bias_in_view(slab, float(planar.view_duration_s[view]), labels, regions, seeds)
    return tuple(replace(m, selection_bias=bias.get(m.region, 0.0)) for m in measured)


def above_background_of_view(
    measured: tuple[Measurement, ...],
    planar: PlanarImages,
    window: int,
    masks: Mapping[str, NDArray[np.bool_]],
    view: int,
    protocol: Protocol,
) -> tuple[Measurement, ...]:
    """Subtract the background that the protocol asks for; nothing where it asks for none."""
    named = protocol.planar.background
    if named == "none" or not measured:
        return ()
    if named != RING:
        return above_background(measured, drawn_background(measured, named), named)
    around = measure_planar(
        planar, window, rings(masks, planar.pixel_mm), view=view, time_point=measured[0].time_point,
        half_life_s=photopeak_of_planar(planar, protocol)[1],
    )  # fmt: skip
    return above_background(measured, {m.region: m for m in around}, named)
