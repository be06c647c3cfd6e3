"""What of the body lies beyond the CT's field of view, by the uncorrected SPECT.

The counts show the body faintly, and by how much they show it is learnt where the CT sees it, too: the level relative
to the slice's own is the one at which the SPECT's outline agrees best with the CT's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import body_outline
from leukospect.ct.truncation import field_of_view, truncated_slices
from leukospect.data import Geometry, Image
from leukospect.physics.collimators import FWHM_PER_SIGMA
from leukospect.registration import resample

_SMOOTHING_MM = 10.0
_LEVELS = np.geomspace(0.03, 0.9, 30)
_LEAST_AGREEMENT = 0.85
_LEVEL_OVER_MM = 30.0
_SAMPLES = 3

Mode = Literal["nearest", "constant"]


@dataclass(frozen=True, slots=True, eq=False)
class BodyBeyondCt:
    """The body beyond the CT's field of view.

    Parameters
    ----------
    part : (slices, rows, columns) float32 array or None
        What to add of soft tissue, 0 to 1, at the attenuation map's resolution; None where it cannot be told.
    volume_ml : float
    slices : int
        Of the CT, in which its field of view cuts the body off.
    agreement : float
        Dice's coefficient of the SPECT's outline and the CT's where both see the body; NaN without a SPECT.
    """

    part: NDArray[np.float32] | None
    volume_ml: float
    slices: int
    agreement: float


def body_beyond_ct(
    ct: Image,
    nac: Image | None,
    onto: Geometry,
    spect_to_ct: NDArray[np.float64] | None,
    smoothing_fwhm_mm: float,
    body: NDArray[np.bool_] | None = None,
) -> BodyBeyondCt | None:
    """Find the body beyond the CT's field of view, in the slices in which that cuts it off.

    Parameters
    ----------
    ct : Image, HU
    nac : Image or None
        The SPECT without attenuation correction.
    onto : Geometry
        Grid of the attenuation map.
    spect_to_ct : (4, 4) array or None
        Takes SPECT points to CT points, LPS mm.
    smoothing_fwhm_mm : float
        Of the attenuation map, so that both parts join without a seam.
    body : (slices, rows, columns) bool array or None
        `body_outline(ct)`, where it is known.

    Returns
    -------
    BodyBeyondCt, or None where the CT holds the whole body
    """
    body = body_outline(ct) if body is None else body
    cut = truncated_slices(ct, body)
    slices = int(np.count_nonzero(cut))
    if not slices:
        return None
    if nac is None:
        return BodyBeyondCt(None, 0.0, slices, float("nan"))
    seen = _SeenByCt.on(onto, ct, body, cut, spect_to_ct)
    outline, agreement = _outline(resample(nac, onto), seen)
    if outline is None:
        return BodyBeyondCt(None, 0.0, slices, agreement)
    missing = np.where(outline & seen.cut, 1.0 - seen.share, 0.0).astype(np.float32)
    labels, _ = ndimage.label((missing > 0) | seen.body)
    of_body = np.unique(labels[seen.body])
    missing[~np.isin(labels, of_body[of_body > 0])] = 0.0
    volume = float(missing.sum(dtype=np.float64)) * onto.voxel_volume_ml
    part = _smoothed(missing, onto, smoothing_fwhm_mm)
    # Beyond the CT's own grid its map has no smoothed edge to join to.
    at_edge = _smoothed(np.where(seen.body, seen.share, 0.0).astype(np.float32), onto, smoothing_fwhm_mm)
    part += np.where((missing > 0) & seen.off_grid, at_edge, np.float32(0))
    return BodyBeyondCt(np.minimum(part, np.float32(1)), volume, slices, agreement)


@dataclass(frozen=True, slots=True, eq=False)
class _SeenByCt:
    """What the CT shows at the voxels of another grid: arrays of its shape."""

    share: NDArray[np.float32]
    body: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    off_grid: NDArray[np.bool_]
    covered: NDArray[np.bool_]

    @classmethod
    def on(
        cls,
        onto: Geometry,
        ct: Image,
        body: NDArray[np.bool_],
        cut: NDArray[np.bool_],
        spect_to_ct: NDArray[np.float64] | None,
    ) -> _SeenByCt:
        matrix = np.eye(4) if spect_to_ct is None else spect_to_ct
        to_index = np.linalg.inv(ct.geometry.affine) @ matrix @ onto.affine
        indices = np.indices(onto.shape, dtype=np.float32)
        size = np.array(ct.geometry.shape)

        def places(rows: float, columns: float) -> tuple[NDArray[np.intp], ...]:
            offset = to_index[:3, :3] @ np.array([0.0, rows, columns]) + to_index[:3, 3]
            turned = np.tensordot(to_index[:3, :3].astype(np.float32), indices, axes=1)
            return tuple(np.rint(turned[axis] + np.float32(offset[axis])).astype(np.intp) for axis in range(3))

        def within(found: tuple[NDArray[np.intp], ...]) -> tuple[NDArray[np.intp], ...]:
            return tuple(np.clip(one, 0, n - 1) for one, n in zip(found, size, strict=True))

        def outside(found: tuple[NDArray[np.intp], ...]) -> NDArray[np.bool_]:
            return np.asarray((found[1] < 0) | (found[1] >= size[1]) | (found[2] < 0) | (found[2] >= size[2]))

        field = field_of_view(ct)
        share = np.zeros(onto.shape, np.float32)
        steps = (np.arange(_SAMPLES) - (_SAMPLES - 1) / 2) / _SAMPLES
        for rows in steps:
            for columns in steps:
                found = places(float(rows), float(columns))
                _, j, i = within(found)
                share += np.where(outside(found), False, field[j, i])
        centre = places(0.0, 0.0)
        k, j, i = within(centre)
        off_grid = outside(centre)
        covered = (centre[0] >= 0) & (centre[0] < size[0])
        return cls(
            (share / _SAMPLES**2).astype(np.float32), body[k, j, i] & ~off_grid, cut[k], off_grid, np.asarray(covered)
        )


def _outline(nac: Image, seen: _SeenByCt) -> tuple[NDArray[np.bool_] | None, float]:
    """Outline the body by the counts, at the level at which they agree best with the CT; None where they do not."""
    counts = _smoothed(np.maximum(np.asarray(nac.array, np.float32), 0), nac.geometry, _SMOOTHING_MM)
    sure = seen.covered & (seen.share > 0.99)
    level = _level_of_slices(counts, seen.body & sure, nac.geometry)
    if level is None:
        return None, float("nan")
    relative = counts / level[:, None, None]
    known = seen.body & sure
    best = -1.0
    outline: NDArray[np.bool_] | None = None
    for candidate in _LEVELS:
        found = relative > candidate
        overlap = 2.0 * np.count_nonzero(found & known) / (np.count_nonzero(found & sure) + np.count_nonzero(known))
        if overlap > best:
            best, outline = float(overlap), np.asarray(found)
    if outline is None or best < _LEAST_AGREEMENT:
        return None, best
    opened = ndimage.binary_opening(outline, structure=np.ones((1, 3, 3), np.bool_))
    filled = np.stack([ndimage.binary_fill_holes(plane | body) for plane, body in zip(opened, seen.body, strict=True)])
    return np.asarray(filled, np.bool_), best


def _level_of_slices(
    counts: NDArray[np.float32], known: NDArray[np.bool_], geometry: Geometry
) -> NDArray[np.float32] | None:
    """Give the median of the counts in the body of each slice, over some slices; the nearest where there is no body."""
    found = np.array(
        [np.median(plane[body]) if body.any() else np.nan for plane, body in zip(counts, known, strict=True)]
    )
    usable = np.flatnonzero(np.isfinite(found) & (found > 0))
    if not usable.size:
        return None
    whole = np.interp(np.arange(found.size), usable, found[usable])
    sigma = _LEVEL_OVER_MM / FWHM_PER_SIGMA / geometry.spacing_mm[0]
    return np.asarray(ndimage.gaussian_filter1d(whole, sigma, mode="nearest"), np.float32)


def _smoothed(array: NDArray[np.float32], geometry: Geometry, fwhm_mm: float) -> NDArray[np.float32]:
    sigma = [fwhm_mm / FWHM_PER_SIGMA / step for step in geometry.spacing_mm]
    modes: tuple[Mode, ...] = ("nearest", "constant", "constant")
    return np.asarray(ndimage.gaussian_filter(array, sigma, mode=modes), np.float32)
