"""Which of an implant's metal is denser than the rest: a cobalt-chrome head on a titanium stem.

Where a CT's scale does not cut metal off, cobalt-chrome and steel read two and a half times titanium's CT number, and
hardening and starved rays do not bring the one down to the other: 22 mm of steel still read 1.7 times thin titanium.
A thin dense wire fills no voxel and is not told apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_content import MetalContent, metal_content
from leukospect.data import Image
from leukospect.physics.attenuation import metal_ct_number_hu

_LIGHT, _DENSE = ("titanium_alloy", "titanium"), "cobalt_chrome"
_TITANIUM_TIMES = 1.35
_LEAST_ML = 0.2
_BLUR_REACH_MM = 2.0


def metals_of_ct(original: Image, metal: Image, kvp: float, material: str) -> tuple[MetalContent, ...]:
    """Tell how much of each voxel is metal: of the implant's material and, beside titanium, of cobalt-chrome.

    Parameters
    ----------
    original, metal, kvp, material
        As in `metal_content`.

    Returns
    -------
    tuple of MetalContent
        One of `material`, and one of cobalt-chrome where some of the metal is too dense for titanium and some is not.
        Where all of it is, the material that was told is wrong, and its `plateau_hu` says so.
    """
    dense = dense_part(original, metal, kvp) if material in _LIGHT else None
    rest = np.asarray(metal.array) != 0 if dense is None else (np.asarray(metal.array) != 0) & ~dense
    if dense is None or not dense.any() or not rest.any():
        return (metal_content(original, metal, kvp, material),)
    parts = [Image(part.astype(np.uint8), metal.geometry, "1") for part in (rest, dense)]
    return (
        metal_content(original, parts[0], kvp, material, beside=dense),
        metal_content(original, parts[1], kvp, _DENSE, beside=rest),
    )


def dense_part(original: Image, metal: Image, kvp: float) -> NDArray[np.bool_]:
    """Mark the metal that is too dense to be titanium.

    Parameters
    ----------
    original : Image, HU
        Before any reduction of artefacts.
    metal : Image
        1 in metal, on the same grid.
    kvp : float
        Tube voltage.

    Returns
    -------
    (slices, rows, columns) bool array
        Pieces of 0.2 mL and more that read above 1.35 times titanium's CT number, with the metal within their blur;
        nothing on a scale that ends below.
    """
    mask = np.asarray(metal.array) != 0
    core = mask & np.greater(original.array, _TITANIUM_TIMES * metal_ct_number_hu("titanium_alloy", kvp))
    labels, count = ndimage.label(core, structure=np.ones((3, 3, 3)))
    least = _LEAST_ML / original.geometry.voxel_volume_ml
    large = np.bincount(labels.ravel(), minlength=count + 1) >= least
    large[0] = False
    core = np.asarray(large[labels], dtype=np.bool_)
    if not core.any():
        return core
    box = tuple(
        slice(max(0, int(at.min()) - 8), int(at.max()) + 9) for at in (np.nonzero(core)[axis] for axis in range(3))
    )
    near = ndimage.distance_transform_edt(~core[box], sampling=original.geometry.spacing_mm) <= _BLUR_REACH_MM
    dense = np.zeros(mask.shape, np.bool_)
    dense[box] = mask[box] & near
    return dense
