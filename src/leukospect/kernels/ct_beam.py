"""One door to the rays of a CT slice, whether they are parallel or a fan.

`forward`, `adjoint`, `shadow` and `filtered_backprojection` take either beam; `bridge` knows sinograms only.
"""

from __future__ import annotations

import numpy as np

from leukospect.kernels.ct_rays import Floats, Mask, adjoint, forward, shadow
from leukospect.kernels.ct_sinogram import bridge
from leukospect.kernels.fan_beam import FanBeam, backprojected_fan
from leukospect.kernels.parallel_beam import ParallelBeam, backprojected_parallel

Beam = ParallelBeam | FanBeam

__all__ = [
    "Beam",
    "FanBeam",
    "ParallelBeam",
    "adjoint",
    "bridge",
    "filtered_backprojection",
    "forward",
    "shadow",
]


def filtered_backprojection(beam: Beam, sinogram: Floats, within: Mask | None = None) -> Floats:
    """Reconstruct a slice from views spread evenly over half a turn of parallel rays, or a full turn of a fan.

    Parameters
    ----------
    beam : ParallelBeam or FanBeam
    sinogram : (views, bins) array
        Line integrals; rays beyond the detector are taken as zero.
    within : (rows, columns) bool array, optional
        Pixels to reconstruct; the others are zero. All without it.

    Returns
    -------
    (rows, columns) float32 array
        In the sinogram's unit per mm.
    """
    if within is None:
        within = np.ones(beam.shape, dtype=np.bool_)
    beam.checked(within, "slice")
    beam.checked(sinogram, "sinogram")
    if isinstance(beam, FanBeam):
        return backprojected_fan(beam, sinogram, within)
    return backprojected_parallel(beam, sinogram, within)
