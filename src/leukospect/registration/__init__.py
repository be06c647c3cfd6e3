"""Resampling between grids and rigid registration: the only place that knows SimpleITK.

An emission image goes to a CT by `register_emission_to_ct`, images of one kind to each other by `register_rigid`.

A transform is always a 4x4 matrix in LPS mm that takes points of the fixed (or output) space to points of the moving
image's space, as ITK's resampling wants it.
"""

from leukospect.registration.conversion import from_simpleitk, to_simpleitk
from leukospect.registration.emission_to_ct import FLAG_MM, register_emission_to_ct
from leukospect.registration.resampling import resample
from leukospect.registration.result import Registration
from leukospect.registration.rigid import body_rendering, register_rigid

__all__ = [
    "FLAG_MM",
    "Registration",
    "body_rendering",
    "from_simpleitk",
    "register_emission_to_ct",
    "register_rigid",
    "resample",
    "to_simpleitk",
]
