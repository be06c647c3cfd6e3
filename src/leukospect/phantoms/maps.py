"""A phantom's truth on a voxel grid: concentration and attenuation, averaged over each voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.phantoms.description import Compartment, Phantom
from leukospect.phantoms.kernels_maps import average_over_voxels
from leukospect.phantoms.scene import scene_of
from leukospect.phantoms.solids import Shape


def _averaged(
    phantom: Phantom,
    geometry: Geometry,
    by_material: NDArray[np.float64],
    by_compartment: NDArray[np.float64],
    samples: int,
) -> NDArray[np.float64]:
    scene = scene_of(phantom)
    steps = (geometry.affine[:3, axis] for axis in range(3))
    values: NDArray[np.float64] = average_over_voxels(
        scene.unit,
        scene.taper,
        scene.local(geometry.affine[:3, 3], *steps),
        scene.material,
        scene.compartment,
        by_material,
        by_compartment,
        geometry.shape,
        samples,
    )
    return values


def concentration_map(phantom: Phantom, hours: float, geometry: Geometry, samples: int = 4) -> Image:
    """Mean concentration in each voxel at a time after the injection, decay-corrected to the injection, kBq/mL.

    Parameters
    ----------
    phantom : Phantom
    hours : float
    geometry : Geometry
        Any grid; its frame of reference is kept.
    samples : int
        Rays along each edge of a voxel across the columns; along them the average is exact.
    """
    values = np.array([0.0, *(c.concentration_kbq_per_ml(hours) for c in phantom.compartment.values())])
    return activity_map(phantom, values, geometry, samples)


def activity_map(phantom: Phantom, kbq_per_ml: NDArray[np.float64], geometry: Geometry, samples: int = 4) -> Image:
    """Mean over each voxel of what the compartments hold, (1 + compartments,) with none first, kBq/mL."""
    none = np.zeros(len(scene_of(phantom).materials))
    return Image(_averaged(phantom, geometry, none, kbq_per_ml, samples), geometry, "kBq/mL")


def filling_map(phantom: Phantom, shape: Shape, geometry: Geometry, samples: int = 8) -> Image:
    """Fraction of each voxel that lies inside one shape, by itself, of a phantom: 0 to 1."""
    one = {"filled": Compartment(hours=(0.0,), kbq_per_ml=(1.0,))}
    alone = shape.model_copy(update={"material": None, "compartment": "filled"})
    filling = concentration_map(
        phantom.model_copy(update={"shape": (alone,), "compartment": one}), 0.0, geometry, samples
    )
    return Image(filling.array, geometry, "")


def attenuation_map(
    phantom: Phantom, energy_kev: float, geometry: Geometry, samples: int = 4, *, coherent_counted: bool = False
) -> Image:
    """Mean linear attenuation coefficient in each voxel, 1/cm.

    Parameters
    ----------
    phantom : Phantom
    energy_kev : float
    geometry : Geometry
    samples : int
        As in `concentration_map`.
    coherent_counted : bool
        False: narrow beam. True: without coherent scattering, which is what attenuates the simulated photopeak.
    """
    scene = scene_of(phantom)
    per_mm = scene.photopeak_attenuation_per_mm if coherent_counted else scene.attenuation_per_mm
    values = 10.0 * per_mm(energy_kev)
    return Image(_averaged(phantom, geometry, values, np.zeros(len(scene.compartments)), samples), geometry, "1/cm")
