"""What rays through metal still tell: their error modelled, the rest believed as far as its size allows.

With q a prior's line integrals and r = p - q, bridged across the trace as in normalised interpolation, the remainder
e = r - bridge(r) is the metal's own signal and its beam hardening, smooth functions of the path through metal and of
the tissue passed, plus the anatomy that the prior lacks, plus noise. The smooth part is fitted: by a parabola of the
path and its product with the tissue's integral, by the path through the metal's blurred edge, which no mask shows, and
by a parabola for each further piece of metal, which may be of another kind. So few terms cannot imitate bone that lies
beside the metal. What the fit leaves is anatomy and noise; a Wiener weight S^2 / (S^2 + v), v its local mean square and
S what anatomy is expected to leave, keeps so much of it. So thin titanium, whose rays are only bent by beam hardening,
keeps its surroundings, and rays that starved behind steel are bridged. The prior is made anew from each image, and
from where the last two lead to (Nesterov's weights), for bone beside metal comes back slowly. Priors that smooth more
or less, and keep more or less of what may be bone, err differently: their images are averaged.

Beam hardening as a function of metal path: J. M. Verburg and J. Seco, Phys. Med. Biol. 57 (2012) 2803, and the
references there; fitting it to the trace's own remainder and weighting by reliability are the project's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leukospect.ct.metal_trace import Floats, MetalTrace
from leukospect.ct.ray_model import RayModel
from leukospect.ct.tissue_prior import PriorSettings


@dataclass(frozen=True, slots=True)
class Passes:
    """How often a prior is made anew, and how.

    Parameters
    ----------
    expected_hu_m : tuple of float
        For each pass how large what the prior lacks is taken to be along a ray, HU m: a metre of 1 HU, or a millimetre
        of water.
    prior : PriorSettings
    """

    expected_hu_m: tuple[float, ...]
    prior: PriorSettings


CAUTIOUS = Passes((12.0, 8.0, 5.0, 3.0, 2.0, 1.0), PriorSettings(bone_from_hu=200.0, variation_hu=240.0))
TRUSTING = Passes((12.0, 30.0, 20.0, 15.0, 10.0, 8.0, 6.0), PriorSettings(bone_from_hu=200.0, variation_hu=80.0))
DENSE_BONE = Passes((12.0, 8.0, 6.0, 5.0, 4.0, 4.0, 4.0), PriorSettings(bone_from_hu=400.0, variation_hu=240.0))


class TraceModel:
    """Reduces one slice's artefacts by what its rays through metal still tell.

    Parameters
    ----------
    trace : MetalTrace
    """

    def __init__(self, trace: MetalTrace) -> None:
        self._fine = RayModel(trace)
        # Passes on the way to a prior do as well with half of the views.
        self._coarse = RayModel(trace.with_half_the_views())

    def reduced(self, start_hu: Floats, passes: Passes) -> Floats:
        """Reduce the scanned slice by passes that begin with an image of it.

        Returns
        -------
        (rows, columns) float32 array, HU
            The metal's own pixels are without meaning.
        """
        last = image = start_hu
        for n, expected in enumerate(passes.expected_hu_m):
            onward = np.float32(max(n - 1, 0) / (n + 2))
            ahead = image + onward * (image - last)
            model = self._fine if n == len(passes.expected_hu_m) - 1 else self._coarse
            last, image = image, model.improved(ahead, expected, passes.prior)
        return image

    def unexplained_hu_m(self, hu: Floats) -> float:
        """Tell how much of the trace's rays an image of the slice and the model leave unexplained (median), HU m."""
        return self._coarse.unexplained_hu_m(hu, CAUTIOUS.prior)
