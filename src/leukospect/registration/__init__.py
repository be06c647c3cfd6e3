"""Resampling between grids and rigid registration: the only place that knows SimpleITK.

A transform is always a 4x4 matrix in LPS mm that takes points of the fixed (or output) space to points of the moving
image's space, as ITK's resampling wants it.
"""

from leukospect.registration.conversion import from_simpleitk, to_simpleitk
from leukospect.registration.resampling import resample
from leukospect.registration.rigid import Registration, body_rendering, register_rigid

__all__ = ["Registration", "body_rendering", "from_simpleitk", "register_rigid", "resample", "to_simpleitk"]
