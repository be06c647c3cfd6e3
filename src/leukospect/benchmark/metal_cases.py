"""A scan with metal after its reduction: the measures of each slice, and slices to look at."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.benchmark.metal_measures import BoneEdge, bone_edge, outside_metal, rmse_hu, similarity
from leukospect.benchmark.metal_results import Picture, SliceMeasure
from leukospect.ct.body import body_outline
from leukospect.ct.metal import MetalReduction, reduce_metal
from leukospect.data import CtSeries, Image
from leukospect.phantoms.scanned_anatomy import ScannedAnatomy

_CLEAR_OF_BODY_MM = 10.0


def body_of(scan: ScannedAnatomy) -> NDArray[np.bool_]:
    """Tell where the patient is, by the truth: (slices, rows, columns)."""
    return body_outline(Image(scan.truth_hu, scan.geometry, "HU"))


def reduced(series: CtSeries, method: str, threads: int) -> tuple[MetalReduction, float]:
    """Reduce a scan, and tell how long it took, s."""
    began = time.perf_counter()
    reduction = reduce_metal(series, method=method, threads=threads)
    return reduction, time.perf_counter() - began


def measured_slices(
    scan: ScannedAnatomy, reduction: MetalReduction, method: str
) -> tuple[list[SliceMeasure], list[BoneEdge]]:
    """Measure each slice that has metal by the truth, whether it was found or not; and give the edges of bone."""
    body = body_of(scan)
    after = np.asarray(reduction.image.array, dtype=np.float32)
    pixel = (scan.geometry.spacing_mm[1], scan.geometry.spacing_mm[2])
    found: list[SliceMeasure] = []
    edges: list[BoneEdge] = []
    for k in (int(k) for k in np.flatnonzero(scan.metal.any(axis=(1, 2)))):
        where = outside_metal(body[k], scan.with_metal_in[k])
        truth, seen, corrected = scan.truth_hu[k], scan.scanned_hu[k], after[k]
        edge = bone_edge(truth, seen, corrected, scan.metal[k], pixel)
        if edge is not None:
            edges.append(edge)
        found.append(
            SliceMeasure(
                scan.family,
                scan.seed,
                "+".join(scan.metals),
                k,
                method,
                k in reduction.slices,
                int(scan.metal[k].sum()),
                rmse_hu(seen, truth, where),
                rmse_hu(corrected, truth, where),
                rmse_hu(scan.without_metal_hu[k], truth, where),
                rmse_hu(seen, scan.without_metal_hu[k], where),
                rmse_hu(corrected, scan.without_metal_hu[k], where),
                similarity(seen, truth, body[k], where),
                similarity(corrected, truth, body[k], where),
                *_edge_values(edge),
            )
        )
    return found, edges


def _edge_values(edge: BoneEdge | None) -> tuple[float, ...]:
    """Give how far the edge is off before and after, and its width in the truth, before and after, mm."""
    if edge is None:
        return (float("nan"),) * 5
    at, width = edge.place_and_width_mm(edge.truth)
    (before, wide_before), (after, wide_after) = (edge.place_and_width_mm(p) for p in (edge.before, edge.after))
    return before - at, after - at, width, wide_before, wide_after


def same_outside_body(scan: ScannedAnatomy, reduction: MetalReduction) -> bool:
    """Tell whether nothing changed 10 mm and more outside the body."""
    reach = round(_CLEAR_OF_BODY_MM / scan.geometry.spacing_mm[1])
    for body, seen, after in zip(body_of(scan), scan.scanned_hu, reduction.image.array, strict=True):
        outside = ~ndimage.binary_dilation(body, iterations=reach)
        if not np.array_equal(after[outside], seen[outside]):
            return False
    return True


def picture_of(scan: ScannedAnatomy, reduction: MetalReduction, measure: SliceMeasure) -> Picture:
    """Cut one slice out to look at."""
    k = measure.slice_index
    return Picture(
        scan.family,
        f"{scan.family} {scan.seed}, slice {k}: {' and '.join(scan.metals).replace('_', ' ')}",
        scan.scanned_hu[k],
        np.asarray(reduction.image.array[k], dtype=np.float32),
        scan.truth_hu[k],
        scan.metal[k],
        scan.geometry.spacing_mm[1],
        measure.rmse_before_hu,
        measure.rmse_after_hu,
    )
