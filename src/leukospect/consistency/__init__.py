"""Whether the views of an acquisition fit each other: motion, lost views, non-uniform detectors."""

from leukospect.consistency.findings import NonUniformity, ViewFinding
from leukospect.consistency.impossible_pixels import find_impossible_pixels
from leukospect.consistency.motion import find_motion
from leukospect.consistency.uniformity import find_non_uniformity

__all__ = ["NonUniformity", "ViewFinding", "find_impossible_pixels", "find_motion", "find_non_uniformity"]
