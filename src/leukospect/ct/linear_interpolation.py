"""Linear interpolation: the metal's shadow bridged by straight lines along the detector.

W. A. Kalender, R. Hebel and J. Ebersberger, Radiology 164 (1987) 576-577. The metal's own line integrals vanish outside
its shadow, so they are left out from the start: the bridge is the same, the difference is small and smooth, and the
metal's sharp edge need not cancel against a reconstruction of it.
"""

from __future__ import annotations

from leukospect.ct.metal_trace import Floats, MetalTrace
from leukospect.kernels.ct_beam import bridge


def linear(trace: MetalTrace) -> Floats:
    """Reduce the streaks of a slice; (rows, columns) HU, the metal's own pixels without meaning."""
    integrals = trace.integrals_without_metal
    return trace.changed(trace.without_metal, integrals - bridge(integrals, trace.trace))
