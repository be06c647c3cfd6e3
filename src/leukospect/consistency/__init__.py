"""Whether views can be what they seem: motion, lost views, non-uniform detectors, saturation, infiltration."""

from leukospect.consistency.findings import NonUniformity, ViewFinding
from leukospect.consistency.frame_motion import find_frame_motion
from leukospect.consistency.impossible_pixels import find_impossible_pixels
from leukospect.consistency.injection_site import find_injection_site
from leukospect.consistency.motion import find_motion
from leukospect.consistency.saturation import find_saturation
from leukospect.consistency.uniformity import find_non_uniformity

__all__ = [
    "NonUniformity",
    "ViewFinding",
    "find_frame_motion",
    "find_impossible_pixels",
    "find_injection_site",
    "find_motion",
    "find_non_uniformity",
    "find_saturation",
]
