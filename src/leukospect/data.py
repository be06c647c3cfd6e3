"""What flows through the program: geometry, images, projections, planar images and studies.

Patient space is DICOM LPS in millimetres everywhere: +x patient left, +y posterior, +z head. Every type is frozen;
a stage makes a new value and changes none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.errors import GeometryError, InputError
from leukospect.padded_pixels import PaddedPixels

Kind = Literal[
    "TOMO", "GATED TOMO", "STATIC", "WHOLE BODY", "DYNAMIC", "GATED", "RECON TOMO", "RECON GATED TOMO", "CT", "PET"
]


Tracer = Literal["leukocytes", "colloid", "other", "unknown"]
DecayReference = Literal["start", "injection", "none", "unknown"]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """A voxel grid in patient space.

    Parameters
    ----------
    shape : (slices, rows, columns)
        Number of voxels along k, j and i.
    affine : (4, 4) array
        Takes the index (k, j, i, 1) of a voxel's centre to (x, y, z, 1) in LPS mm.
    frame_of_reference_uid : str or None
        Images that share it are aligned unless a registration says otherwise.

    Raises
    ------
    GeometryError
        The affine is not finite, not invertible or its axes are not at right angles.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    frame_of_reference_uid: str | None = None

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(int(n) < 1 for n in self.shape):
            raise GeometryError(f"A grid needs three positive sizes (slices, rows, columns); found {self.shape}.")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.all(np.isfinite(affine)):
            raise GeometryError("A grid's affine must be a finite 4x4 matrix.")
        if not np.array_equal(affine[3], [0.0, 0.0, 0.0, 1.0]):
            raise GeometryError(f"The last row of an affine must be 0 0 0 1; found {affine[3].tolist()}.")
        steps = affine[:3, :3]
        lengths = np.linalg.norm(steps, axis=0)
        if np.any(lengths <= 0):
            raise GeometryError("A grid's voxel spacing must not be zero along any axis.")
        cosines = (steps / lengths).T @ (steps / lengths) - np.eye(3)
        if np.abs(cosines).max() > 1e-3:
            raise GeometryError("A grid's axes must be at right angles; resample a tilted volume first.")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @classmethod
    def axial(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        first_voxel_mm: tuple[float, float, float],
        frame_of_reference_uid: str | None = None,
    ) -> Geometry:
        """Make an axial grid: i to the patient's left, j to the back, k to the head (k falls where its spacing does).

        Parameters
        ----------
        shape : (slices, rows, columns)
        spacing_mm : (slices, rows, columns)
        first_voxel_mm : (x, y, z) of the centre of voxel (0, 0, 0)
        frame_of_reference_uid : str or None
        """
        affine = np.eye(4)
        affine[:3, :3] = 0.0
        affine[2, 0], affine[1, 1], affine[0, 2] = spacing_mm
        affine[:3, 3] = first_voxel_mm
        return cls(shape, affine, frame_of_reference_uid)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along k, j and i, mm, positive."""
        k, j, i = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(k), float(j), float(i)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def to_lps(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Take voxel indices (..., 3), ordered (k, j, i), to LPS mm (..., 3), ordered (x, y, z)."""
        return np.asarray(indices, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Take LPS points (..., 3) to fractional voxel indices (..., 3), ordered (k, j, i)."""
        offsets = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return offsets @ np.linalg.inv(self.affine[:3, :3]).T

    def same_grid(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Tell whether the other grid has the same voxels at the same places."""
        return self.shape == other.shape and bool(np.abs(self.affine - other.affine).max() <= tolerance_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A volume on a grid: `array` indexed (k, j, i), C-contiguous, and its unit: ``HU``, ``1/cm``, ``counts/s/mL``."""

    array: NDArray[np.generic]
    geometry: Geometry
    unit: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"An image of shape {self.array.shape} does not fit its grid of {self.geometry.shape}.")
        array = np.ascontiguousarray(self.array).view()
        array.setflags(write=False)
        object.__setattr__(self, "array", array)


LIMITS_NOT_RECORDED_KEV = ((1.0, 1000.0),)


@dataclass(frozen=True, slots=True)
class EnergyWindow:
    """An energy window: one or several (lower, upper) ranges in keV; the name is the camera's and proves nothing."""

    ranges_kev: tuple[tuple[float, float], ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.ranges_kev:
            raise InputError("An energy window has no range.")
        for lower, upper in self.ranges_kev:
            if not 0 <= lower < upper:
                raise InputError(f"An energy window runs from {lower:g} to {upper:g} keV, which is impossible.")

    @property
    def is_recorded(self) -> bool:
        """False where `LIMITS_NOT_RECORDED_KEV` stands in for limits that are not recorded."""
        return self.ranges_kev != LIMITS_NOT_RECORDED_KEV

    @property
    def width_kev(self) -> float:
        """Total width of the ranges, keV."""
        return sum(upper - lower for lower, upper in self.ranges_kev)


@dataclass(frozen=True, slots=True)
class Radiopharmaceutical:
    """What was injected: nuclide as ``Tc-99m``, the compound's name, when, and how much (MBq at that time).

    `date_recorded` is False where only the time of day is recorded and the date of `injection_time` was assumed.
    `tracer` tells what the compound is by its name: labelled leukocytes, a colloid that marrow takes up, another one,
    or unknown.
    """

    nuclide: str | None
    name: str = ""
    injection_time: datetime | None = None
    dose_mbq: float | None = None
    date_recorded: bool = True
    tracer: Tracer = "unknown"


@dataclass(frozen=True, slots=True)
class AcquisitionHeader:
    """What is known of an acquisition besides its pixels. No patient name, id or date of birth is kept.

    Parameters
    ----------
    kind : Kind
    start : datetime or None
        When counting began.
    radiopharmaceutical : Radiopharmaceutical or None
        The only one, or the first of several.
    other_radiopharmaceuticals : tuple of Radiopharmaceutical
        The further ones of a dual-isotope acquisition.
    collimator : str
        Collimator/grid Name as recorded, empty where it is not.
    manufacturer, model, description : str
    frame_of_reference_uid : str or None
    patient_position : str
        ``HFS``, ``HFP``, ``FFS``, ``FFP`` or empty.
    corrections : tuple of str
        Corrected Image (0028,0051): what the camera already did, such as ``DECY``, ``UNIF``, ``COR``.
    study_uid, series_uid : str
    sources : tuple of Path
        The files it was read from; empty for a simulated one.
    assumptions : tuple of str
        What the reader had to assume, one sentence each.
    """

    kind: Kind
    start: datetime | None = None
    radiopharmaceutical: Radiopharmaceutical | None = None
    collimator: str = ""
    manufacturer: str = ""
    model: str = ""
    description: str = ""
    frame_of_reference_uid: str | None = None
    patient_position: str = ""
    corrections: tuple[str, ...] = ()
    study_uid: str = ""
    series_uid: str = ""
    sources: tuple[Path, ...] = ()
    assumptions: tuple[str, ...] = ()
    other_radiopharmaceuticals: tuple[Radiopharmaceutical, ...] = ()

    @property
    def hours_after_injection(self) -> float | None:
        """Time from injection to the start of counting, hours; None where either is unknown."""
        injected = self.radiopharmaceutical
        if self.start is None or injected is None or injected.injection_time is None:
            return None
        return (self.start - injected.injection_time).total_seconds() / 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """Where the detector stood at each view.

    Parameters
    ----------
    angles_deg : (views,) array
        0 is the detector at the back, growing counter-clockwise seen from the feet (90 is the patient's left).
    radii_mm : (views,) array or None
        From the axis of rotation to the collimator's face; None where not recorded.
    centre_offset_mm : (views,) array or None
        Centre-of-rotation offset still to be applied, along the columns; None means zero.
    """

    angles_deg: NDArray[np.float64]
    radii_mm: NDArray[np.float64] | None = None
    centre_offset_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        angles = np.asarray(self.angles_deg, dtype=np.float64)
        if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
            raise GeometryError("An orbit needs a finite angle for each view.")
        object.__setattr__(self, "angles_deg", angles)
        for name in ("radii_mm", "centre_offset_mm"):
            values = getattr(self, name)
            if values is None:
                continue
            values = np.asarray(values, dtype=np.float64)
            if values.shape != angles.shape or not np.all(np.isfinite(values)):
                raise GeometryError(f"An orbit of {angles.size} views has {values.size} values in {name}.")
            object.__setattr__(self, name, values)
        if self.radii_mm is not None and np.any(self.radii_mm <= 0):
            raise GeometryError("An orbit's radii must be positive.")

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.angles_deg.size)


def _checked_counts(counts: NDArray[np.generic], what: str) -> NDArray[np.float32]:
    array = np.ascontiguousarray(counts, dtype=np.float32)
    if array.ndim != 4:
        raise InputError(f"{what} need counts of shape (windows, views, rows, columns); found {array.shape}.")
    if array.size == 0:
        raise InputError(f"{what} are empty: their counts have the shape {array.shape}.")
    if not np.all(np.isfinite(array)):
        raise InputError(f"{what} contain values that are not finite.")
    if array.min() < 0:
        raise InputError(f"{what} contain negative counts ({array.min():g}); raw counts cannot be negative.")
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """A SPECT acquisition: counts of every energy window and view.

    Parameters
    ----------
    counts : (windows, views, rows, columns) float32 array
        Rows run from head to feet; columns along u(t) = (-cos t, sin t, 0), to the right of someone who stands
        behind the detector and looks at the patient.
    energy_windows : tuple of EnergyWindow
    orbit : Orbit
    pixel_mm : (between rows, between columns)
    axis_mm : (x, y) of the axis of rotation, LPS
    first_row_z_mm : float
        LPS z of the centre of row 0.
    view_start_s, view_duration_s : (views,) arrays
        Start of each view after `header.start`, and for how long it counted.
    header : AcquisitionHeader
    duration_recorded : bool
        False where a duration of 1 s a view stands in for one that is not recorded.
    summed_frames : int
        How many gates or time frames were added up in each view; 1 where the acquisition is neither gated nor dynamic.
    """

    counts: NDArray[np.float32]
    energy_windows: tuple[EnergyWindow, ...]
    orbit: Orbit
    pixel_mm: tuple[float, float]
    axis_mm: tuple[float, float]
    first_row_z_mm: float
    view_start_s: NDArray[np.float64]
    view_duration_s: NDArray[np.float64]
    header: AcquisitionHeader
    duration_recorded: bool = True
    summed_frames: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _checked_counts(self.counts, "Projections"))
        windows, views = self.counts.shape[:2]
        if windows != len(self.energy_windows):
            raise InputError(f"Projections of {windows} windows describe {len(self.energy_windows)} energy windows.")
        if views != self.orbit.views:
            raise GeometryError(f"Projections of {views} views have angles for {self.orbit.views}.")
        for name in ("view_start_s", "view_duration_s"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (views,) or not np.all(np.isfinite(values)):
                raise InputError(f"Projections of {views} views need as many finite values in {name}.")
            object.__setattr__(self, name, values)
        if np.any(self.view_duration_s <= 0):
            raise InputError("The duration of every view must be positive.")
        if min(self.pixel_mm) <= 0 or not np.all(np.isfinite(self.pixel_mm)):
            raise GeometryError(f"The pixel spacing must be positive; found {self.pixel_mm} mm.")


@dataclass(frozen=True, slots=True, eq=False)
class PlanarImages:
    """Planar views taken together: STATIC, WHOLE BODY, or the sum of a DYNAMIC or GATED acquisition.

    Parameters
    ----------
    counts : (windows, views, rows, columns) float32 array
        Rows from head to feet, columns to the right of someone who stands behind the detector.
    energy_windows : tuple of EnergyWindow
    view_names : tuple of str
        ``anterior``, ``posterior``, ``left lateral``, ``right lateral`` or what the camera called it.
    pixel_mm : (between rows, between columns)
    view_duration_s : (views,) array
        How long each pixel counted; for WHOLE BODY the dwell time of a line, not of the scan.
    header : AcquisitionHeader
    first_pixel_mm : (views, 3) array or None
        LPS position of the centre of pixel (0, 0) of each view where recorded.
    summed_frames : int
        How many gates or time frames were added up in each view; 1 for STATIC and WHOLE BODY.
    """

    counts: NDArray[np.float32]
    energy_windows: tuple[EnergyWindow, ...]
    view_names: tuple[str, ...]
    pixel_mm: tuple[float, float]
    view_duration_s: NDArray[np.float64]
    header: AcquisitionHeader
    first_pixel_mm: NDArray[np.float64] | None = None
    summed_frames: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _checked_counts(self.counts, "Planar images"))
        windows, views = self.counts.shape[:2]
        if windows != len(self.energy_windows):
            raise InputError(f"Planar images of {windows} windows describe {len(self.energy_windows)} energy windows.")
        durations = np.asarray(self.view_duration_s, dtype=np.float64)
        if durations.shape != (views,) or views != len(self.view_names):
            raise InputError(f"Planar images of {views} views need as many names and durations.")
        if np.any(durations <= 0) or not np.all(np.isfinite(durations)):
            raise InputError("The duration of every planar view must be positive.")
        if min(self.pixel_mm) <= 0 or not np.all(np.isfinite(self.pixel_mm)):
            raise GeometryError(f"The pixel spacing must be positive; found {self.pixel_mm} mm.")
        if self.first_pixel_mm is not None and np.shape(self.first_pixel_mm) != (views, 3):
            raise GeometryError("Planar images need a position of three values for each view, or none at all.")
        object.__setattr__(self, "view_duration_s", durations)


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
