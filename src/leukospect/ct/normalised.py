"""Normalised metal artefact reduction: what a prior does not explain is bridged, not the line integrals themselves.

As E. Meyer et al., Med. Phys. 37 (2010) 5482-5493, but with the difference to the prior's line integrals in the place
of the quotient: it stays finite where rays graze the body, and is as flat where the prior is right.
"""

from __future__ import annotations

import numpy as np

from leukospect.ct.metal_trace import Floats, MetalTrace
from leukospect.kernels.ct_beam import bridge


def normalised(trace: MetalTrace, prior_hu: Floats) -> Floats:
    """Reduce the streaks of a slice.

    Parameters
    ----------
    trace : MetalTrace
    prior_hu : (rows, columns) float32 array
        What the slice would be without streaks, roughly.

    Returns
    -------
    (rows, columns) float32 array, HU
        The metal's own pixels are without meaning.
    """
    unexplained = np.where(trace.needed, trace.integrals_without_metal - trace.integrals_of(prior_hu), 0.0)
    rest = unexplained.astype(np.float32)
    return trace.changed(trace.without_metal, rest - bridge(rest, trace.trace))
