"""What a phantom file says of its scans: the camera, planar views, SPECT and CT."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from leukospect.phantoms.solids import Table

TimePoint = Literal["early", "delayed", "late"]
Size = tuple[PositiveInt, PositiveInt]
Spacing = tuple[PositiveFloat, PositiveFloat]


class Camera(Table):
    """A gamma camera with a parallel-hole collimator; lengths in mm, sensitivity a head without attenuation.

    The sensitivity is that of all photopeak windows together. Of a nuclide with several photons each has a part by
    yield and by `line_efficiency`, the crystal's relative efficiency for each, in the order of their energies (the same
    for all where it is left out). The energy resolution is that of the first, and grows with the root of the energy.
    """

    collimator: str
    hole_mm: PositiveFloat
    hole_length_mm: PositiveFloat
    intrinsic_fwhm_mm: PositiveFloat
    energy_resolution_percent: PositiveFloat
    sensitivity_cps_per_mbq: PositiveFloat
    line_efficiency: tuple[PositiveFloat, ...] = ()


class Window(Table):
    """An energy window."""

    name: str
    lower_kev: NonNegativeFloat
    upper_kev: PositiveFloat

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower_kev >= self.upper_kev:
            raise ValueError("'lower_kev' must be less than 'upper_kev'")
        return self


class _Scan(Table):
    time_point: TimePoint
    hours: NonNegativeFloat
    frame: str = ""
    center_z_mm: float = 0.0

    @property
    def frame_of_reference(self) -> str:
        """Scans that name the same frame of reference were taken without moving the patient."""
        return self.frame or self.time_point


class _GammaScan(_Scan):
    """`tracer` tells what it counts; `hours` count from that injection, of ``both`` from that of the leukocytes."""

    tracer: Literal["leukocytes", "colloid", "both"] = "leukocytes"
    matrix: Size
    pixel_mm: Spacing
    seconds: PositiveFloat
    axis_mm: tuple[float, float] = (0.0, 0.0)
    window: tuple[Window, ...] = Field(min_length=1)
    radius_mm: PositiveFloat | None = None
    clearance_mm: NonNegativeFloat = 15.0

    @property
    def first_row_z_mm(self) -> float:
        """LPS z of the centre of the row nearest the head."""
        return self.center_z_mm + (self.matrix[0] - 1) / 2.0 * self.pixel_mm[0]


class SpectAcquisition(_GammaScan):
    """A SPECT scan: `stops` of `seconds` each, on one head or two opposed ones.

    Without `radius_mm` the heads follow the body at `clearance_mm`.
    With two heads each covers half of `arc_deg`; views are those of the first head, then those of the second.
    """

    kind: Literal["SPECT"]
    stops: PositiveInt
    heads: Literal[1, 2] = 2
    arc_deg: PositiveFloat = 360.0
    start_angle_deg: float = 180.0
    direction: Literal["CC", "CW"] = "CC"
    step_seconds: NonNegativeFloat = 0.0

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """Angles of the first head, (stops,), degrees from 0 to 360; the second head's lie half a turn away."""
        step = self.arc_deg / self.heads / self.stops * (1.0 if self.direction == "CC" else -1.0)
        return np.asarray(np.mod(self.start_angle_deg + step * np.arange(self.stops), 360.0))

    @property
    def view_start_s(self) -> NDArray[np.float64]:
        """Start of each stop after the scan's, (stops,), s."""
        return np.asarray(np.arange(self.stops) * (self.seconds + self.step_seconds), dtype=np.float64)


class PlanarAcquisition(_GammaScan):
    """An anterior and a posterior view taken together."""

    kind: Literal["PLANAR"]

    @property
    def frame_of_reference(self) -> str:
        """Planar views lie in a frame of their own unless the file says otherwise."""
        return self.frame or f"{self.time_point} planar"


class CtAcquisition(_Scan):
    """A CT: every slice by itself, filtered back-projection.

    Parameters
    ----------
    beam : str
        ``parallel``: rays over half a turn. ``fan``: a full turn of `views` (even) around a detector of equal angles,
        `element_mm` wide each, shifted by a quarter of one, as many as the object needs.
    rays_per_element : int
        Rays across each detector element and, in a fan, the focal spot; their intensities are averaged, not their line
        integrals, so edges along a ray read too little (the exponential edge-gradient effect).
    slice_thickness_mm, rays_per_slice : float, int
        Planes across each slice, whose intensities are averaged too; the thickness is the slices' distance unless said.
    scatter_to_primary : float
        Scatter over primary behind the middle of 300 mm of water (see `leukospect.phantoms.ct_scatter`).
    scatter_corrected : float
        Share of the scatter, 0 to 1, that the scanner's own correction takes off again.
    top_hu : float
        Where the scale ends: 3071, or 30710 for the extended one.
    kernel : str
        ``soft`` or ``sharp``: where the Hann window of the ramp filter ends, unless `hann_cutoff_per_mm` says it. Soft
        is the bins' Nyquist frequency in a parallel beam and 0.75/mm in a fan, sharp is 1.4/mm.
    """

    kind: Literal["CT"]
    matrix: Size
    pixel_mm: Spacing
    slices: PositiveInt
    slice_spacing_mm: PositiveFloat
    kvp: Annotated[float, Field(ge=60, le=150)]
    filtration_mm_al: PositiveFloat = 7.0
    views: PositiveInt = 480
    photons_per_ray: PositiveFloat = 5e5
    electronic_noise_photons: NonNegativeFloat = 10.0
    beam: Literal["parallel", "fan"] = "parallel"
    source_to_isocentre_mm: PositiveFloat = 595.0
    source_to_detector_mm: PositiveFloat = 1086.0
    element_mm: PositiveFloat = 1.2856
    focal_spot_mm: NonNegativeFloat = 0.9
    rays_per_element: Annotated[int, Field(ge=1, le=7)] = 1
    slice_thickness_mm: PositiveFloat | None = None
    rays_per_slice: Annotated[int, Field(ge=1, le=16)] = 1
    scatter_to_primary: NonNegativeFloat = 0.0
    scatter_corrected: Annotated[float, Field(ge=0, le=1)] = 0.0
    top_hu: Annotated[float, Field(ge=1000, le=32767)] = 3071.0
    kernel: Literal["soft", "sharp"] = "soft"
    hann_cutoff_per_mm: PositiveFloat | None = None

    @model_validator(mode="after")
    def _can_turn(self) -> Self:
        if self.beam == "fan" and self.views % 2:
            raise ValueError("'views' must be even in a fan beam, so that every ray has an opposed one")
        if self.source_to_detector_mm <= self.source_to_isocentre_mm:
            raise ValueError("'source_to_detector_mm' must be more than 'source_to_isocentre_mm'")
        return self

    @property
    def slice_offsets_mm(self) -> NDArray[np.float64]:
        """Places of a slice's planes about its middle, (rays_per_slice,), mm."""
        thickness = self.slice_thickness_mm or self.slice_spacing_mm
        places = (np.arange(self.rays_per_slice) + 0.5) / self.rays_per_slice - 0.5
        return np.asarray(places * thickness, dtype=np.float64)

    @property
    def cutoff_per_mm(self) -> float | None:
        """Frequency at which the Hann window ends, 1/mm; None for the bins' Nyquist frequency."""
        if self.hann_cutoff_per_mm is not None or self.kernel == "sharp":
            return self.hann_cutoff_per_mm or 1.4
        return 0.75 if self.beam == "fan" else None


Acquisition = Annotated[SpectAcquisition | PlanarAcquisition | CtAcquisition, Field(discriminator="kind")]
