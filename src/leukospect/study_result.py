"""What the stages of a study leave behind, image by image and as measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.metal import MetalReduction
from leukospect.data import CtSeries, Image, Projections, Study
from leukospect.interpretation.flag import StudyFlag
from leukospect.interpretation.rule import Rule
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Change, Measurement, Ratio, Region, TimePoint
from leukospect.registration import Registration, resample
from leukospect.spect_study import PhotopeakCounts, Reconstructor


@dataclass(frozen=True, slots=True, eq=False)
class SpectResult:
    """What one SPECT acquisition became.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts
    reconstructor : Reconstructor
        The model of `recon`, for resampling.
    recon : Image
        Attenuation-corrected where there is a map, else not.
    recon_nac : Image
        The same without attenuation correction.
    mu_map : Image or None
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
    """

    projections: Projections
    peak: PhotopeakCounts
    reconstructor: Reconstructor
    recon: Image
    recon_nac: Image
    mu_map: Image | None
    ct: CtSeries | None
    reduction: MetalReduction | None
    registration: Registration | None
    registration_note: str
    time_point: TimePoint | None
    hours: float | None
    corrections: tuple[str, ...]

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

    def recon_on_ct(self) -> Image | None:
        """Resample `recon` onto the CT's grid, registered."""
        if self.ct is None:
            return None
        ct_to_spect: NDArray[np.float64] = np.linalg.inv(self.spect_to_ct).astype(np.float64)
        return resample(self.recon, self.ct.image.geometry, fixed_to_moving=ct_to_spect)


@dataclass(frozen=True, slots=True, eq=False)
class StudyResult:
    """What a study became; `labels` holds the regions on each SPECT's own grid."""

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
