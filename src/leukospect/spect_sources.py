"""Which SPECT a study offers at each time: raw counts before a vendor's volume, and attenuation corrected alike."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from leukospect.acquired_alike import Acquired, different_corrections, different_sensitivity
from leukospect.data import AcquisitionHeader, CtSeries, Projections, ReconstructedSeries, Study
from leukospect.errors import AssumptionWarning, InputError
from leukospect.orientation import upright
from leukospect.physics.windows import find_photopeaks
from leukospect.protocol import Protocol
from leukospect.reconstructed_spect import ABSOLUTE_UNITS, MAP_UNITS
from leukospect.study_result import SpectResult

_ONE_ACQUISITION_S = 600.0  # reconstructions of one acquisition; cameras round its start
_SAME_VOXEL = 0.01
_CALIBRATED = ("Bq/mL", "g/mL")  # by its camera, for the collimator and the window that it was taken with


@dataclass(frozen=True, slots=True, eq=False)
class VendorSpect:
    """One acquisition as its camera reconstructed it.

    Parameters
    ----------
    series : ReconstructedSeries
        The volume to measure.
    uncorrected : ReconstructedSeries or None
        The same acquisition without attenuation correction, on the same grid, where `series` is corrected.
    """

    series: ReconstructedSeries
    uncorrected: ReconstructedSeries | None = None

    @property
    def header(self) -> AcquisitionHeader:
        """The header of the volume to measure."""
        return self.series.header


SpectSource = Projections | VendorSpect


def spect_sources(study: Study, protocol: Protocol) -> tuple[SpectSource, ...]:
    """Find the SPECT of a study, one for each acquisition, in time order.

    Raw projections win over a vendor's reconstruction of the same time; of a vendor's reconstructions of one
    acquisition the one with attenuation correction is taken, and one without is kept beside it.

    Raises
    ------
    InputError
        Several volumes of one acquisition are corrected alike, so nothing tells which is meant.
    """
    volumes = [a for a in study.acquisitions if isinstance(a, ReconstructedSeries) and a.header.kind != "PET"]
    maps = [volume for volume in volumes if volume.image.unit in MAP_UNITS]
    if maps:
        _say(f"{len(maps)} of the reconstructed volumes are attenuation maps or CT by their unit; they are not used.")
    groups: list[list[ReconstructedSeries]] = []
    for volume in volumes:
        if volume.image.unit in MAP_UNITS:
            continue
        group = next((one for one in groups if _seconds_apart(one[0].header, volume.header) <= _ONE_ACQUISITION_S), [])
        if not group:
            groups.append(group)
        group.append(volume)
    vendors = []
    for group in groups:
        if any(_same_time(raw.header, group[0].header, protocol) for raw in study.projections):
            _say(
                f"The SPECT {when(group[0].header)} is there raw and as its camera reconstructed it; the raw counts "
                "are taken."
            )
        else:
            vendors.append(_chosen(group))
    order = {id(acquisition): place for place, acquisition in enumerate(study.acquisitions)}
    sources: list[SpectSource] = [*study.projections, *vendors]
    return tuple(sorted(sources, key=lambda one: order[id(one.series if isinstance(one, VendorSpect) else one)]))


def when(header: AcquisitionHeader) -> str:
    """Name an acquisition by its time, as in ``at 4.0 h``."""
    hours = header.hours_after_injection
    return "at an unknown time" if hours is None else f"at {hours:.1f} h"


def _seconds_apart(one: AcquisitionHeader, other: AcquisitionHeader) -> float:
    """Give the seconds between two starts; none apart where neither is recorded, infinitely where one is."""
    if one.start is None or other.start is None:
        return 0.0 if one.start is other.start else float("inf")
    return abs((one.start - other.start).total_seconds())


def _same_time(raw: AcquisitionHeader, vendor: AcquisitionHeader, protocol: Protocol) -> bool:
    hours = raw.hours_after_injection, vendor.hours_after_injection
    if hours[0] is not None and hours[1] is not None:
        return protocol.time_point(hours[0]) == protocol.time_point(hours[1])
    if raw.start is None or vendor.start is None:
        return True  # it cannot be shown to be another acquisition
    return _seconds_apart(raw, vendor) <= _ONE_ACQUISITION_S


def _chosen(group: Sequence[ReconstructedSeries]) -> VendorSpect:
    """Choose among the reconstructions of one acquisition."""
    at = when(group[0].header)
    by_correction = {state: [v for v in group if v.attenuation_corrected is state] for state in (True, False, None)}
    for state, alike in by_correction.items():
        if len(alike) > 1 and (state is not False or not by_correction[True]):
            raise InputError(
                f"{len(alike)} reconstructions of the SPECT {at} {_KINDS[state]}; leave the one that is meant in the "
                "folder."
            )
    corrected, uncorrected = by_correction[True], by_correction[False]
    unused = len(by_correction[None]) if corrected or uncorrected else 0
    if unused:
        _say(f"A reconstruction of the SPECT {at} does not tell whether attenuation was corrected; it is not used.")
    if not corrected:
        return VendorSpect((uncorrected or by_correction[None])[0])
    beside = uncorrected[0] if len(uncorrected) == 1 else None
    if beside is not None and not _on_one_grid(beside, corrected[0]):
        _say(f"The reconstruction of the SPECT {at} without attenuation correction is on another grid; it is not kept.")
        beside = None
    elif len(uncorrected) > 1:
        _say(f"{len(uncorrected)} reconstructions of the SPECT {at} have no attenuation correction; none is kept.")
    elif beside is not None:
        _say(
            f"The SPECT {at} is there with and without attenuation correction; the corrected one is taken, the other "
            "kept beside it."
        )
    return VendorSpect(corrected[0], beside)


def _on_one_grid(one: ReconstructedSeries, other: ReconstructedSeries) -> bool:
    """Tell whether two volumes have the same voxels, in whatever order their files hold them."""
    return upright(one.image).geometry.same_grid(upright(other.image).geometry, tolerance_mm=0.01)


_KINDS = {
    True: "are corrected for attenuation",
    False: "are not corrected for attenuation",
    None: "do not tell whether attenuation was corrected",
}


def corrected_alike(
    sources: Sequence[SpectSource], scans: Sequence[CtSeries | None], enabled: bool
) -> tuple[tuple[SpectSource, ...], bool]:
    """Settle on attenuation corrected at every time or at none, since the two cannot be compared.

    Parameters
    ----------
    sources : sequence of SpectSource
    scans : sequence of CtSeries or None
        The CT of each.
    enabled : bool
        Correction is asked for.

    Returns
    -------
    tuple of SpectSource
        With a vendor's uncorrected volumes where attenuation is corrected at no time.
    bool
        Correct the attenuation of raw counts.

    Raises
    ------
    InputError
        Some times are there with correction only and others without, or not known to be.
    """
    offers = [_offers(source, ct, enabled) for source, ct in zip(sources, scans, strict=True)]
    if enabled and (len(sources) < 2 or all(True in offer for offer in offers)):
        return tuple(sources), enabled
    if all(False in offer for offer in offers):
        if any(True in offer for offer in offers) and enabled:
            _say(
                f"The SPECT {_times(sources, offers, True)} {_lacking(sources, offers)}, so attenuation is corrected "
                "at no time: corrected and uncorrected uptake cannot be compared."
            )
        return tuple(_uncorrected(source) for source in sources), False
    if all(offer == {None} for offer in offers) and len(offers) > 1:
        _say("Whether attenuation was corrected is not recorded at any time; it is taken as the same at all.")
    if len({frozenset(offer) for offer in offers}) < 2:
        return tuple(sources), enabled
    raise InputError(
        f"The SPECT {_times(sources, offers, True)} is not known to be corrected for attenuation, and that "
        f"{_times(sources, offers, False)} is not there without: corrected and uncorrected uptake cannot be compared. "
        "Give reconstructions that are alike, or each time by itself."
    )


def _offers(source: SpectSource, ct: CtSeries | None, enabled: bool) -> set[bool | None]:
    """Tell whether a SPECT can be had with attenuation correction (True), without (False), or as nobody knows."""
    if isinstance(source, Projections):
        return {False, True} if ct is not None and enabled else {False}
    return {source.series.attenuation_corrected} | ({False} if source.uncorrected is not None else set())


def _uncorrected(source: SpectSource) -> SpectSource:
    if isinstance(source, VendorSpect) and source.uncorrected is not None:
        return VendorSpect(source.uncorrected)
    return source


def _times(sources: Sequence[SpectSource], offers: Sequence[set[bool | None]], lacking: bool) -> str:
    missing = [source for source, offer in zip(sources, offers, strict=True) if lacking not in offer]
    hours = [source.header.hours_after_injection for source in missing]
    return "at " + ", ".join("an unknown time" if h is None else f"{h:.1f} h" for h in hours)


def _lacking(sources: Sequence[SpectSource], offers: Sequence[set[bool | None]]) -> str:
    raw = [isinstance(one, Projections) for one, offer in zip(sources, offers, strict=True) if True not in offer]
    return "has no CT of its own" if all(raw) else "is not there corrected for attenuation"


def say_what_differs(spect: Sequence[SpectResult]) -> None:
    """Warn where images of several times were not made alike, which their ratios do not cancel."""
    made = {result.counts is None for result in spect}
    if len(made) > 1:
        _say(
            "Some times were reconstructed here and others by the camera: resolution and scatter differ between them, "
            "and changes of their ratios hold no further than that."
        )
    corrections = different_corrections([_acquired(result) for result in spect if result.counts is not None])
    if corrections:
        _say(f"The camera corrected the counts of some times ({corrections}) and of others not.")
    scattered = {"SCAT" in result.corrections for result in spect if result.corrections}
    if len(scattered) > 1:
        _say("Scatter is corrected at some times and at others not; changes of their ratios hold no further than that.")


def only_ratios(spect: Sequence[SpectResult]) -> str:
    """Say why values of several times cannot be compared but by their ratios; empty where they can.

    What was reconstructed here is on one scale where it was acquired alike.
    """
    if len(spect) < 2:
        return ""
    counted = [result for result in spect if result.counts is not None or result.recon.unit not in _CALIBRATED]
    return different_sensitivity([_acquired(result) for result in counted]) or _different_units(spect)


def _different_units(spect: Sequence[SpectResult]) -> str:
    """Say why volumes of the camera's are on another scale than others, by their units."""
    vendors = [result for result in spect if result.counts is None]
    if not vendors:
        return ""
    units = dict.fromkeys(result.recon.unit for result in spect)
    unit = next(iter(units))
    if len(units) > 1:
        return f"they are in different units ({', '.join(units)})"
    if unit not in ABSOLUTE_UNITS:
        return f"their unit ('{unit}') leaves the scale of each open"
    if len(vendors) < len(spect) and unit != "Bq/mL":
        return "the counts of this program and of the camera's are on different scales"
    volumes = [result.recon.geometry.voxel_volume_ml for result in spect]
    if unit == "counts/s" and max(volumes) > (1.0 + _SAME_VOXEL) * min(volumes):
        return "they count per voxel, and the voxels differ in size"
    timed = all(result.decay_to_injection is not None for result in spect)
    return "" if timed else "the decay between them is not known"


def _acquired(result: SpectResult) -> Acquired:
    window = None
    if result.counts is not None:
        windows = result.counts.projections.energy_windows
        window = windows[find_photopeaks(windows, result.nuclide)[-1].peak] if result.nuclide is not None else None
    return Acquired(when(result.header), result.header, window)


def _say(text: str) -> None:
    warnings.warn(text, AssumptionWarning, stacklevel=3)
