"""Reconstructed images of a CT or a camera, and all that a study holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from leukospect.data.geometry import Image
from leukospect.data.header import AcquisitionHeader, DecayReference
from leukospect.data.nuclear import PlanarImages, Projections
from leukospect.errors import GeometryError
from leukospect.padded_pixels import PaddedPixels


@dataclass(frozen=True, slots=True)
class FanGeometry:
    """How the rays of a CT ran: from a source that turned about the isocentre.

    Parameters
    ----------
    source_to_isocentre_mm : float
    isocentre_mm : (x, y), LPS
    source_to_detector_mm : float or None
        None where it is not recorded.
    """

    source_to_isocentre_mm: float
    isocentre_mm: tuple[float, float]
    source_to_detector_mm: float | None = None

    def __post_init__(self) -> None:
        distances = (self.source_to_isocentre_mm, self.source_to_detector_mm or np.inf)
        if not 0 < distances[0] < distances[1] or not np.all(np.isfinite(self.isocentre_mm)):
            raise GeometryError(
                f"A fan of rays needs an isocentre between source and detector; found it at {self.isocentre_mm} mm, "
                f"{distances[0]:g} mm from the source, and the detector at {distances[1]:g} mm."
            )


@dataclass(frozen=True, slots=True, eq=False)
class CtSeries:
    """A CT volume in HU with what the attenuation map must know: tube voltage and kernel.

    Parameters
    ----------
    image : Image, HU
    header : AcquisitionHeader
    kvp : float or None
    kernel : str
    slice_thickness_mm : float or None
    saturated_voxels : int
        How many lie at the top of a 12-bit scale, where metal is cut off.
    metal_reduction : str
        The name of the metal artefact reduction that was already done, such as ``iMAR`` by the scanner or
        ``leukospect`` by this program; empty where none shows.
    fan : FanGeometry or None
        How its rays ran, in the planes of the slices; None where that is not known.
    contrast_recorded : bool
        The header names a contrast agent.
    spectral : str
        What the numbers are, where the header says that they are not of the tube's spectrum: ``a monoenergetic image``.
    padding : tuple of PaddedPixels
        What filled the slices outside the field of view, where `image` holds -1024 HU instead.
    gantry_tilt_deg : float
        By how much the gantry was tilted where the slices of `image` are resampled to upright ones; else 0.
    """

    image: Image
    header: AcquisitionHeader
    kvp: float | None = None
    kernel: str = ""
    slice_thickness_mm: float | None = None
    saturated_voxels: int = 0
    metal_reduction: str = ""
    fan: FanGeometry | None = None
    contrast_recorded: bool = False
    spectral: str = ""
    padding: tuple[PaddedPixels, ...] = ()
    gantry_tilt_deg: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructedSeries:
    """A volume that somebody else reconstructed: SPECT (kind ``RECON TOMO``, whatever class it is stored as), or PET.

    Parameters
    ----------
    image : Image
        Its unit as recorded; empty where it is not.
    header : AcquisitionHeader
    frame_duration_s : float or None
        For how long one view, or the frame of a PET, counted.
    counting_time_s : float or None
        For how long the whole volume counted: the views of a rotation one after another, all rotations.
    attenuation_corrected : bool or None
        None where it is not recorded, or recorded in two ways that contradict each other.
    decay_reference : ``start``, ``injection``, ``none`` or ``unknown``
        What its values were decay-corrected to: the start of the acquisition, the injection, or nothing (then they are
        the mean over the acquisition).
    """

    image: Image
    header: AcquisitionHeader
    frame_duration_s: float | None = None
    counting_time_s: float | None = None
    attenuation_corrected: bool | None = None
    decay_reference: DecayReference = "unknown"


Acquisition = Projections | PlanarImages | CtSeries | ReconstructedSeries


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The acquisitions of one patient and examination, in time order relative to injection.

    Parameters
    ----------
    acquisitions : tuple of Acquisition
    problems : tuple of str
        Files that were not used, and why, one sentence each; no name, id or date of the patient in them.
    places : tuple of (patient, examination)
        Of each acquisition, counted from 1, where a folder is only looked at and may hold several; empty where all are
        of one.
    """

    acquisitions: tuple[Acquisition, ...]
    problems: tuple[str, ...] = field(default=())
    places: tuple[tuple[int, int], ...] = field(default=())

    @property
    def projections(self) -> tuple[Projections, ...]:
        """The SPECT acquisitions, in time order."""
        return tuple(a for a in self.acquisitions if isinstance(a, Projections))

    @property
    def planar(self) -> tuple[PlanarImages, ...]:
        """The planar acquisitions, in time order."""
        return tuple(a for a in self.acquisitions if isinstance(a, PlanarImages))

    @property
    def ct(self) -> tuple[CtSeries, ...]:
        """The CT series, in time order."""
        return tuple(a for a in self.acquisitions if isinstance(a, CtSeries))
