"""From a CT to attenuation coefficients on its own grid, with what is known better than its CT numbers tell."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.metal_content import MetalContent
from leukospect.data import Image
from leukospect.errors import GeometryError
from leukospect.physics.attenuation import hu_to_mu_lines, metal_mu_per_cm, mu_on_lines


@dataclass(frozen=True, slots=True, eq=False)
class KnownMatter:
    """What fills some voxels of a CT, whatever their CT numbers are.

    Parameters
    ----------
    metals : tuple of MetalContent
        One for each kind.
    water : (slices, rows, columns) bool array or None
        What attenuates like water, as diluted contrast agent does.
    air : (slices, rows, columns) bool array or None
        What is taken away, as the couch may be.
    """

    metals: tuple[MetalContent, ...] = ()
    water: NDArray[np.bool_] | None = None
    air: NDArray[np.bool_] | None = None


def coefficients_of_ct(
    ct: Image,
    kvp: float | None,
    energy_kev: float,
    hu_table: str = "scanner",
    *,
    coherent_counted: bool = False,
    known: KnownMatter | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Give the linear attenuation coefficient of every voxel of a CT, a slice at a time.

    Parameters
    ----------
    ct : Image, HU
    kvp, energy_kev, hu_table, coherent_counted
        As in `physics.attenuation.hu_to_mu`.
    known : KnownMatter or None
        Metal is put in last: it lies in what is water or taken away, not the other way round.
    threads : int or None
        Slices worked on at a time; the result does not depend on it.

    Returns
    -------
    (slices, rows, columns) float32 array, 1/cm, a new one

    Raises
    ------
    GeometryError
        What is known lies on another grid than the CT.
    """
    water, slope = hu_to_mu_lines(kvp, energy_kev, hu_table, coherent_counted=coherent_counted)
    known = known or KnownMatter()
    for mask in (known.water, known.air):
        if mask is not None and mask.shape != ct.geometry.shape:
            raise GeometryError(f"A mask of shape {mask.shape} does not fit a CT of {ct.geometry.shape}.")
    mu = np.empty(ct.geometry.shape, np.float32)

    def fill(k: int) -> None:
        mu[k] = mu_on_lines(np.asarray(ct.array[k], np.float32), water, slope)
        if known.water is not None:
            mu[k][known.water[k]] = water
        if known.air is not None:
            mu[k][known.air[k]] = 0.0

    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        list(pool.map(fill, range(mu.shape[0])))
    flat, drawn = mu.reshape(-1), np.empty(0, np.int64)
    for metal in known.metals:
        alone = np.float32(metal_mu_per_cm(metal.material, energy_kev, coherent_counted=coherent_counted))
        beside = mu_on_lines(metal.surrounding_hu, water, slope)
        # Where two metals meet, the one drawn before is what the other's rim is shared with.
        shared = np.isin(metal.voxels, drawn)
        beside[shared] = flat[metal.voxels[shared]]
        flat[metal.voxels] = metal.fraction * alone + (1 - metal.fraction) * beside
        drawn = np.concatenate([drawn, metal.voxels])
    return mu
