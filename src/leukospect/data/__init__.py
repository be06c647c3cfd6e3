"""What flows through the program: geometry, images, projections, planar images and studies.

Patient space is DICOM LPS in millimetres everywhere: +x patient left, +y posterior, +z head. Every type is frozen;
a stage makes a new value and changes none.
"""

from leukospect.data.geometry import Geometry, Image
from leukospect.data.header import (
    LIMITS_NOT_RECORDED_KEV,
    AcquisitionHeader,
    DecayReference,
    EnergyWindow,
    Kind,
    Radiopharmaceutical,
    Tracer,
)
from leukospect.data.nuclear import Orbit, PlanarImages, Projections
from leukospect.data.study import Acquisition, CtSeries, FanGeometry, ReconstructedSeries, Study

__all__ = [
    "LIMITS_NOT_RECORDED_KEV",
    "Acquisition",
    "AcquisitionHeader",
    "CtSeries",
    "DecayReference",
    "EnergyWindow",
    "FanGeometry",
    "Geometry",
    "Image",
    "Kind",
    "Orbit",
    "PlanarImages",
    "Projections",
    "Radiopharmaceutical",
    "ReconstructedSeries",
    "Study",
    "Tracer",
]
