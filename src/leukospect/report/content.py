"""What a report shows: plain values, gathered by the caller, drawn and told by the rest of this package."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.metal_summary import MetalSummary
from leukospect.data import Image, PlanarImages
from leukospect.errors import GeometryError, InputError
from leukospect.interpretation.flag import LesionFlag, StudyFlag
from leukospect.interpretation.map_effect import AttenuationEffect
from leukospect.interpretation.marrow import Discordance
from leukospect.quantification.measurements import Change, Location, Measurement, Ratio, Region
from leukospect.quantification.misalignment import AlignmentSensitivity


@dataclass(frozen=True, slots=True, eq=False)
class SpectPictures:
    """The volumes of one SPECT time point; what is None was not made, and the report says so.

    Parameters
    ----------
    time_point : str
        ``early``, ``delayed``, ``late`` or what the study calls it.
    hours : float
        From injection to the start of the acquisition; NaN where unknown.
    recon : Image
        Attenuation-corrected where a CT or a map was given, else not.
    recon_nac : Image or None
        The same without attenuation correction.
    ct, ct_reduced : Image or None
        CT in HU on its own grid, as scanned and after metal reduction.
    metal : Image or None
        Mask of the metal on the CT grid, above 0 where there is metal.
    recon_on_ct : Image or None
        `recon`, registered, on the CT grid.
    regions : Image or None
        Labels on the grid of `recon`.
    registration : str
        One sentence: how SPECT and CT were brought together, and by how much they were moved.
    decay_to_injection : float or None
        Takes `recon` from the start of its acquisition to the injection; None where that is unknown. Time points are
        shown on one scale that is decay-corrected only where every one of them has it.
    spect_to_ct : (4, 4) array or None
        Takes LPS mm of the SPECT to LPS mm of the CT; None where they are aligned as they are.
    refers_to : str
        To what moment the values of `recon` belong, in words.
    metal_summary : MetalSummary or None
        What the metal reduction found and did; None where the CT was not looked through for it.
    mu_map, mu_map_as_scanned, recon_as_scanned : Image or None
        What `recon` was corrected with, the map of the CT as scanned, and what the same counts become with that.
    """

    time_point: str
    hours: float
    recon: Image
    recon_nac: Image | None = None
    ct: Image | None = None
    ct_reduced: Image | None = None
    metal: Image | None = None
    recon_on_ct: Image | None = None
    regions: Image | None = None
    registration: str = ""
    decay_to_injection: float | None = None
    spect_to_ct: NDArray[np.float64] | None = None
    refers_to: str = "the start of the acquisition"
    mu_map: Image | None = None
    mu_map_as_scanned: Image | None = None
    recon_as_scanned: Image | None = None
    metal_summary: MetalSummary | None = None

    def __post_init__(self) -> None:
        for name in ("ct_reduced", "metal", "recon_on_ct"):
            image: Image | None = getattr(self, name)
            if image is not None and (self.ct is None or not image.geometry.same_grid(self.ct.geometry)):
                raise GeometryError(f"The report's {name} must lie on the grid of its CT.")
        for name in ("recon_nac", "regions", "mu_map", "mu_map_as_scanned", "recon_as_scanned"):
            image = getattr(self, name)
            if image is not None and not image.geometry.same_grid(self.recon.geometry):
                raise GeometryError(f"The report's {name} must lie on the grid of its reconstruction.")
        if self.spect_to_ct is not None and np.shape(self.spect_to_ct) != (4, 4):
            raise GeometryError("The report's transform from SPECT to CT must be a 4x4 matrix.")


@dataclass(frozen=True, slots=True, eq=False)
class PlanarPictures:
    """The planar images of one time point.

    Parameters
    ----------
    time_point : str
    hours : float
        From injection to the start of the acquisition; NaN where unknown.
    planar : PlanarImages
    window : int
        Index of the energy window to show.
    decay_to_injection : float
        Takes the rates to the injection; 1 where its time is unknown.
    masks : mapping
        Pixels that each region was measured in, (rows, columns) bool, by the number of the view and by its name.
    """

    time_point: str
    hours: float
    planar: PlanarImages
    window: int
    decay_to_injection: float
    masks: Mapping[int, Mapping[str, NDArray[np.bool_]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        windows = self.planar.counts.shape[0]
        if not 0 <= self.window < windows:
            raise InputError(f"The report asks for energy window {self.window} of planar images that have {windows}.")
        if not (np.isfinite(self.decay_to_injection) and self.decay_to_injection > 0):
            raise InputError(f"A decay factor must be positive; the report was given {self.decay_to_injection}.")


@dataclass(frozen=True, slots=True, eq=False)
class MarrowShown:
    """The scan of a marrow colloid: what was done, its pictures and measurements, and the leukocytes beside it."""

    facts: Mapping[str, str]
    spect: tuple[SpectPictures, ...]
    planar: tuple[PlanarPictures, ...]
    measurements: tuple[Measurement, ...]
    compared: tuple[Discordance, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReportContent:
    """All that one report shows. Nothing here may identify the patient: no name, id or date.

    Parameters
    ----------
    title : str
    facts : mapping
        What was done, in words: nuclide, dose, times, counts, collimator.
    spect : tuple of SpectPictures
    planar : tuple of PlanarPictures
    regions : tuple of Region
    measurements, ratios, changes : tuples
    flag : StudyFlag or None
        None where no rule was applied.
    rule : mapping or None
        ``name``, ``title``, ``criterion``, ``source``, ``sensitivity``, ``specificity``, ``accuracy`` (per cent) and
        ``evidence`` (what speaks for and against the rule). With ``from_time`` the published figures are left out where
        the flag rests on another time. Each may be missing or None.
    warnings : tuple of str
    settings : mapping
    software : str
        Name and version.
    only_ratios : str
        Why the SPECT of several times cannot be shown on one scale; empty where it can.
    effect : AttenuationEffect or None
        What other attenuation maps give; None where metal in the CT gives no reason to ask.
    sensitivity : AlignmentSensitivity or None
        What a small misalignment changes; None where nothing was moved.
    marrow : MarrowShown or None
    locations : tuple of Location
        Where lesions lie on the CT; empty without one.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    spect: tuple[SpectPictures, ...] = ()
    planar: tuple[PlanarPictures, ...] = ()
    regions: tuple[Region, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    changes: tuple[Change, ...] = ()
    flag: StudyFlag | None = None
    rule: Mapping[str, object] | None = None
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    software: str = ""
    only_ratios: str = ""
    effect: AttenuationEffect | None = None
    sensitivity: AlignmentSensitivity | None = None
    marrow: MarrowShown | None = None
    locations: tuple[Location, ...] = ()


def when(time_point: str, hours: float) -> str:
    """Say when: ``late, 24.1 h``, or the time point alone where the hours are not known."""
    return f"{time_point}, {hours:.1f}\N{NO-BREAK SPACE}h" if np.isfinite(hours) else time_point


def modality_name(modality: str) -> str:
    """Write a modality as readers do: ``spect`` is SPECT."""
    return modality.replace("spect", "SPECT")


def driving_lesion(content: ReportContent) -> LesionFlag | None:
    """Choose, of the lesions that share the study's flag, the one most likely above the threshold; None without any."""
    if content.flag is None:
        return None
    alike = [lesion for lesion in content.flag.lesions if lesion.flag == content.flag.flag] or content.flag.lesions
    return max(alike, key=lambda lesion: _strength(lesion, content.changes), default=None)


def change_behind(lesion: LesionFlag, changes: tuple[Change, ...]) -> Change | None:
    """Find the change that a lesion's flag rests on; None where it was not assessable."""
    basis = (lesion.lesion, lesion.modality, lesion.from_time, lesion.to_time)
    return next((c for c in changes if (c.lesion, c.modality, c.from_time, c.to_time) == basis), None)


def _strength(lesion: LesionFlag, changes: tuple[Change, ...]) -> tuple[float, float]:
    # by probability, and among lesions that are all but certain by the change itself
    change = change_behind(lesion, changes)
    grown = change.change.value if change is not None else math.nan
    return _or_lowest(lesion.probability), _or_lowest(grown)


def _or_lowest(value: float) -> float:
    return -math.inf if math.isnan(value) else value
