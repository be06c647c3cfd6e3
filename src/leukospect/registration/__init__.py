"""Resampling between grids and rigid registration: the only place that knows SimpleITK.

An emission image goes to a CT by `register_emission_to_ct`, images of one kind to each other by `register_rigid`.

A transform is always a 4x4 matrix in LPS mm that takes points of the fixed (or output) space to points of the moving
image's space, as ITK's resampling wants it.
"""

from leukospect.registration.by_part import nearest_part, resample_by_part
from leukospect.registration.conversion import from_simpleitk, to_simpleitk
from leukospect.registration.emission_to_ct import FLAG_MM, register_emission_to_ct
from leukospect.registration.limb_judgement import LimbRegistration
from leukospect.registration.limbs import LimbAlignment, register_limbs
from leukospect.registration.planar import PlanarRegistration, register_planar
from leukospect.registration.resampling import resample
from leukospect.registration.result import Registration, unsearched
from leukospect.registration.rigid import body_rendering, register_rigid

__all__ = [
    "FLAG_MM",
    "LimbAlignment",
    "LimbRegistration",
    "PlanarRegistration",
    "Registration",
    "body_rendering",
    "from_simpleitk",
    "nearest_part",
    "register_emission_to_ct",
    "register_limbs",
    "register_planar",
    "register_rigid",
    "resample",
    "resample_by_part",
    "to_simpleitk",
    "unsearched",
]
