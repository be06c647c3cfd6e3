"""A phantom's shapes as the arrays that the ray kernels take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.phantoms.description import NO_ACTIVITY, Phantom
from leukospect.phantoms.materials import linear_attenuation_per_cm, photopeak_attenuation_per_cm
from leukospect.phantoms.solids import UNIT_SOLIDS, Solid, solids_of


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Solids in painting order.

    Parameters
    ----------
    solids : tuple of Solid
    unit, taper : (shapes,) arrays
    inverse : (shapes, 3, 3) array
        Takes LPS offsets from a solid's centre to its own coordinates.
    material, compartment : (shapes,) int arrays
        Index in `materials` and `compartments`; -1 paints none.
    materials, compartments : tuple of str
    """

    solids: tuple[Solid, ...]
    unit: NDArray[np.int64]
    taper: NDArray[np.float64]
    inverse: NDArray[np.float64]
    material: NDArray[np.int64]
    compartment: NDArray[np.int64]
    materials: tuple[str, ...]
    compartments: tuple[str, ...]

    def select(self, chosen: NDArray[np.bool_]) -> Scene:
        """Keep only some of the solids."""
        solids = tuple(solid for solid, keep in zip(self.solids, chosen, strict=True) if keep)
        return Scene(
            solids,
            self.unit[chosen],
            self.taper[chosen],
            self.inverse[chosen],
            self.material[chosen],
            self.compartment[chosen],
            self.materials,
            self.compartments,
        )

    def local(self, origin_mm: NDArray[np.float64], *directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give each solid's own coordinates of a point, and of unit steps along directions: (1 + n, shapes, 3)."""
        centres = np.array([solid.centre_mm for solid in self.solids])
        first = np.einsum("sij,sj->si", self.inverse, origin_mm - centres)
        steps = [np.einsum("sij,j->si", self.inverse, direction) for direction in directions]
        return np.stack([first, *steps])

    def limits_mm(self, origin_mm: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell between which offsets from a point along a unit vector each solid lies: (shapes, 2), mm."""
        middle = np.array([(solid.centre_mm - origin_mm) @ direction for solid in self.solids])
        extent = np.array([solid.extent_mm(direction) for solid in self.solids])
        return np.stack([middle - extent, middle + extent], axis=1)

    def attenuation_per_mm(self, energy_kev: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Linear attenuation coefficients, (materials,) or (materials, energies), 1/mm."""
        return np.array([linear_attenuation_per_cm(name, energy_kev) / 10.0 for name in self.materials])

    def photopeak_attenuation_per_mm(self, energy_kev: float) -> NDArray[np.float64]:
        """Give what attenuates a photopeak, coherent scattering left out: (materials,), 1/mm."""
        return np.array([photopeak_attenuation_per_cm(name, energy_kev) / 10.0 for name in self.materials])


def scene_of(phantom: Phantom) -> Scene:
    """Lay a phantom's shapes out for the kernels."""
    pairs = [(shape, solid) for shape in phantom.shape for solid in solids_of(shape)]
    shapes, solids = tuple(shape for shape, _ in pairs), tuple(solid for _, solid in pairs)
    materials = tuple(sorted({shape.material for shape in phantom.shape if shape.material is not None}))
    compartments = (NO_ACTIVITY, *phantom.compartment)
    painted = [phantom.painted_compartment(shape) for shape in shapes]
    return Scene(
        solids,
        np.array([UNIT_SOLIDS[solid.unit] for solid in solids]),
        np.array([solid.taper for solid in solids]),
        np.array([np.linalg.inv(solid.half_axes_mm) for solid in solids]),
        np.array([-1 if s.material is None else materials.index(s.material) for s in shapes]),
        np.array([-1 if name is None else compartments.index(name) for name in painted]),
        materials,
        compartments,
    )


def activity_kbq_per_ml(phantom: Phantom, hours: tuple[float, ...], half_life_s: float) -> NDArray[np.float64]:
    """Tell what each compartment holds at each time, not decay-corrected: (times, compartments), kBq/mL."""
    rows = []
    for at in hours:
        left = np.exp(-np.log(2.0) * at * 3600.0 / half_life_s)
        rows.append([0.0, *(c.concentration_kbq_per_ml(at) * left for c in phantom.compartment.values())])
    return np.array(rows)
