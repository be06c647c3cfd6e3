"""What the stages of a study leave behind, image by image and as measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.metal import MetalReduction
from leukospect.data import AcquisitionHeader, CtSeries, Image, PlanarImages, Projections, Study
from leukospect.interpretation.flag import StudyFlag
from leukospect.interpretation.map_effect import AttenuationEffect
from leukospect.interpretation.rule import Rule
from leukospect.photopeaks import PhotopeakCounts
from leukospect.physics.nuclides import Nuclide
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Change, Location, Measurement, Ratio, Region, TimePoint
from leukospect.quantification.misalignment import AlignmentSensitivity
from leukospect.registration import Registration, resample, unsearched
from leukospect.spect_algorithms import ReconstructionLog
from leukospect.spect_study import Reconstructor


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredCounts:
    """The counts an image was reconstructed from here, and the model that did it, for resampling.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts
    reconstructor : Reconstructor
        The model of `SpectResult.recon`.
    maps : tuple of Image
        Attenuation of each photopeak on the model's grid; empty where attenuation was not corrected.
    """

    projections: Projections
    peak: PhotopeakCounts
    reconstructor: Reconstructor
    maps: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WithCtAsScanned:
    """The same counts reconstructed with the attenuation map of the CT as scanned, and that map, 1/cm."""

    recon: Image
    mu_map: Image


@dataclass(frozen=True, slots=True, eq=False)
class SpectResult:
    """What one SPECT acquisition became, whoever reconstructed it.

    Parameters
    ----------
    header : AcquisitionHeader
    recon : Image
        Attenuation-corrected where there is a map, else not; or as the camera reconstructed it.
    recon_nac : Image or None
        The same without attenuation correction; None where the camera gave none.
    mu_map : Image or None
        What `recon` was corrected with here; of several photopeaks that with the largest tabulated share of the counts.
    anatomy : Image or None
        The attenuation map of the CT on the grid of `recon`, 1/cm, applied or not: the body's outline, and what times
        are aligned by.
    ct : CtSeries or None
    reduction : MetalReduction or None
    registration : Registration or None
        SPECT to CT.
    registration_note : str
        What was done about the alignment, and why, in one sentence.
    time_point : TimePoint or None
    hours : float or None
        After injection.
    corrections : tuple of str
        What the reconstruction corrected, in Corrected Image's terms.
    nuclide : Nuclide or None
    decay_to_injection : float or None
        Takes `recon` to the injection; None where the nuclide or the time is not known.
    counts : MeasuredCounts or None
        None where the camera reconstructed: nothing can be resampled then, and no uncertainty is known.
    log : ReconstructionLog or None
        How `recon` was reached; None where the camera reconstructed.
    refers_to : str
        To what moment the values of `recon` belong.
    map_notes : mapping of str to str
        What was set in the attenuation map besides what the CT's numbers tell: metal, contrast agent, couch, what lies
        beyond the CT.
    as_scanned : WithCtAsScanned or None
        What the CT's metal does to `recon` unless it is reduced; None where there is no metal, it was not reduced here,
        or its effect is not asked for.
    """

    header: AcquisitionHeader
    recon: Image
    recon_nac: Image | None
    mu_map: Image | None
    anatomy: Image | None
    ct: CtSeries | None
    reduction: MetalReduction | None
    registration: Registration | None
    registration_note: str
    time_point: TimePoint | None
    hours: float | None
    corrections: tuple[str, ...]
    nuclide: Nuclide | None
    decay_to_injection: float | None
    counts: MeasuredCounts | None = None
    refers_to: str = "the start of the acquisition"
    log: ReconstructionLog | None = None
    map_notes: Mapping[str, str] = field(default_factory=dict)
    as_scanned: WithCtAsScanned | None = None

    @property
    def spect_to_ct(self) -> NDArray[np.float64]:
        """Takes SPECT points to CT points, LPS mm, (4, 4)."""
        return np.eye(4) if self.registration is None else self.registration.matrix

    @property
    def corrected_ct(self) -> Image | None:
        """The CT after metal reduction where that was done."""
        if self.reduction is not None:
            return self.reduction.image
        return None if self.ct is None else self.ct.image

    def ct_alignment(self) -> dict[str, object]:
        """Tell as plain values how it lies to its CT, and how that was found."""
        found = self.registration or unsearched(self.registration_note)
        return {
            "time_point": self.time_point,
            "hours": self.hours,
            "searched": self.registration is not None,
            "accepted": found.accepted,
            "reason": found.reason,
            "matrix": found.matrix.tolist(),
            "shift_mm": found.shift_mm if self.registration else None,
            "rotation_deg": found.rotation_deg if self.registration else None,
            "expected_error_mm": found.expected_error_mm,
            "misalignment_mm": found.misalignment_mm,
            "mirrored": found.mirrored or None,
        }

    def recon_on_ct(self) -> Image | None:
        """Resample `recon` onto the CT's grid, registered."""
        if self.ct is None:
            return None
        ct_to_spect: NDArray[np.float64] = np.linalg.inv(self.spect_to_ct).astype(np.float64)
        return resample(self.recon, self.ct.image.geometry, fixed_to_moving=ct_to_spect)


ViewMasks = Mapping[int, Mapping[str, NDArray[np.bool_]]]
"""The pixels, (rows, columns), that each region was measured in, by the number of the planar view."""


@dataclass(frozen=True, slots=True, eq=False)
class MarrowScan:
    """What the scan of a marrow colloid became, apart from the leukocytes.

    Parameters
    ----------
    spect : tuple of SpectResult
    planar : tuple of PlanarImages
    labels : tuple of Image
        The leukocytes' regions on each SPECT's own grid.
    measurements, ratios : tuples
        `time_point` and `hours` are those after the colloid's injection.
    alignments : tuple of mapping
        How it lies to the last leukocyte images, as plain values.
    notes : mapping
        The same in words.
    planar_masks : tuple of ViewMasks
        Of each of `planar`.
    """

    spect: tuple[SpectResult, ...]
    planar: tuple[PlanarImages, ...]
    labels: tuple[Image, ...]
    measurements: tuple[Measurement, ...]
    ratios: tuple[Ratio, ...]
    alignments: tuple[Mapping[str, object], ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    planar_masks: tuple[ViewMasks, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StudyResult:
    """What a study became; `labels` holds the regions on each SPECT's own grid.

    `only_ratios` says why values of several times cannot be compared but by their ratios; empty where they can.
    `effect` tells what other attenuation maps would give; None where metal in the CT gives no reason to ask.
    `sensitivity` tells what a small misalignment would change; None where nothing was moved.
    `alignments` tell how times lie to each other, transforms and quality, as plain values.
    `marrow` is the scan of a colloid; None where there is none.
    `locations` tell where each lesion lies on the CT of the last SPECT; empty without one.
    `planar_masks` tell where regions were measured in each of the study's planar images.
    """

    study: Study
    protocol: Protocol
    spect: tuple[SpectResult, ...]
    labels: tuple[Image, ...]
    regions: tuple[Region, ...]
    measurements: tuple[Measurement, ...]
    ratios: tuple[Ratio, ...]
    changes: tuple[Change, ...]
    rule: Rule
    flag: StudyFlag
    notes: Mapping[str, str]
    only_ratios: str = ""
    effect: AttenuationEffect | None = None
    sensitivity: AlignmentSensitivity | None = None
    alignments: tuple[Mapping[str, object], ...] = ()
    marrow: MarrowScan | None = None
    locations: tuple[Location, ...] = ()
    planar_masks: tuple[ViewMasks, ...] = ()
