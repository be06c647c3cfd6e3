"""Simulate the scans a phantom describes into a study, as a reader of its files would find it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from leukospect.data import (
    AcquisitionHeader,
    CtSeries,
    EnergyWindow,
    Geometry,
    Image,
    Kind,
    Orbit,
    PlanarImages,
    Projections,
    Study,
)
from leukospect.errors import InputError
from leukospect.phantoms.acquisitions import (
    Acquisition,
    CtAcquisition,
    PlanarAcquisition,
    SpectAcquisition,
    TimePoint,
)
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.description import Phantom
from leukospect.phantoms.energy_spectrum import window_fractions
from leukospect.phantoms.gamma_camera import (
    GammaCamera,
    HeadCounts,
    axis_of,
    detector_columns,
    detector_normal,
    scan_angles_deg,
    scan_radii_mm,
)
from leukospect.phantoms.injected import radiopharmaceuticals_of, tracers_of
from leukospect.phantoms.maps import activity_map
from leukospect.phantoms.scene import scene_of
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.physics.nuclides import nuclide

GammaScan = SpectAcquisition | PlanarAcquisition
_Scan = TypeVar("_Scan", SpectAcquisition | PlanarAcquisition, CtAcquisition)
Progress = Callable[[str, float], None]
_KINDS: dict[str, Kind] = {"SPECT": "TOMO", "PLANAR": "STATIC", "CT": "CT"}
_WHEN = {"time_point", "hours", "frame"}
_HOW_LONG = {*_WHEN, "seconds", "step_seconds", "window"}


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedStudy:
    """A simulated study with what is true of it.

    Parameters
    ----------
    phantom : Phantom
    study : Study
    expected : tuple of float32 array or None
        For each acquisition of the study the mean counts of which its counts are a Poisson sample; None for a CT.
    expected_primary : tuple of float32 array or None
        Of those, the photons that were not scattered.
    scans : tuple of Acquisition
        What the phantom's file says of each acquisition.
    """

    phantom: Phantom
    study: Study
    expected: tuple[NDArray[np.float32] | None, ...]
    expected_primary: tuple[NDArray[np.float32] | None, ...]
    scans: tuple[Acquisition, ...] = ()

    def truth(
        self,
        time_point: TimePoint,
        geometry: Geometry,
        samples: int = 4,
        *,
        tracer: Literal["leukocytes", "colloid"] = "leukocytes",
    ) -> Image:
        """Give the true activity at the start of a SPECT scan, counts/s/mL of one head without attenuation.

        Parameters
        ----------
        time_point : TimePoint
        geometry : Geometry
            Any grid in the scan's frame of reference.
        samples : int
            Rays along each edge of a voxel across its columns.
        tracer : ``leukocytes`` or ``colloid``

        Raises
        ------
        InputError
            The phantom has no SPECT scan of that tracer at that time.
        """
        scans = [
            scan
            for scan in self.phantom.acquisition
            if scan.kind == "SPECT" and scan.time_point == time_point and scan.tracer in (tracer, "both")
        ]
        if not scans:
            which = "" if tracer == "leukocytes" else f" of the {tracer}"
            raise InputError(f"Phantom '{self.phantom.name}' has no SPECT scan{which} at the {time_point} time.")
        injected = tracers_of(self.phantom, scans[:1])[0 if tracer == "leukocytes" else -1]
        rate = 1e-3 * injected.camera.sensitivity_cps_per_mbq
        concentration = activity_map(self.phantom, injected.activity_kbq_per_ml[0], geometry, samples)
        return Image(np.asarray(concentration.array, dtype=np.float64) * rate, geometry, "counts/s/mL")


def _uid(*parts: object) -> str:
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _header(phantom: Phantom, scan: Acquisition, seed: int, number: int) -> AcquisitionHeader:
    injected = radiopharmaceuticals_of(phantom, scan)
    return AcquisitionHeader(
        kind=_KINDS[scan.kind],
        start=phantom.start(scan),
        radiopharmaceutical=injected[0] if injected else None,
        other_radiopharmaceuticals=injected[1:],
        collimator="" if isinstance(scan, CtAcquisition) else phantom.camera.collimator,
        manufacturer="leukospect",
        model="digital phantom",
        description=f"{phantom.name} {scan.time_point} {scan.kind}",
        frame_of_reference_uid=_uid(phantom.name, seed, "frame", scan.frame_of_reference),
        patient_position="HFS",
        study_uid=_uid(phantom.name, seed, "study"),
        series_uid=_uid(phantom.name, seed, "series", number),
    )


def _in_groups(scans: list[tuple[int, _Scan]], unlike: set[str]) -> list[list[tuple[int, _Scan]]]:
    """Group numbered scans that differ only in `unlike`: their geometry is traced once."""
    groups: dict[str, list[tuple[int, _Scan]]] = {}
    for number, scan in scans:
        groups.setdefault(scan.model_dump_json(exclude=unlike), []).append((number, scan))
    return list(groups.values())


def _view_times_s(scan: GammaScan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and duration of each view, s."""
    views = scan_angles_deg(scan).size
    starts = np.tile(scan.view_start_s, scan.heads) if isinstance(scan, SpectAcquisition) else np.zeros(views)
    return starts, np.full(views, scan.seconds)


def _gamma_scan(
    scan: GammaScan, counts: NDArray[np.float32], radii: NDArray[np.float64], header: AcquisitionHeader
) -> Projections | PlanarImages:
    windows = tuple(EnergyWindow(((w.lower_kev, w.upper_kev),), w.name) for w in scan.window)
    starts, durations = _view_times_s(scan)
    angles = scan_angles_deg(scan)
    if isinstance(scan, SpectAcquisition):
        return Projections(
            counts,
            windows,
            Orbit(angles, radii),
            scan.pixel_mm,
            scan.axis_mm,
            scan.first_row_z_mm,
            starts,
            durations,
            header,
        )
    (rows, columns), (dv, du) = scan.matrix, scan.pixel_mm
    corners = [
        axis_of(scan)
        + radius * detector_normal(float(angle))
        - (columns - 1) / 2.0 * du * detector_columns(float(angle))
        + np.array([0.0, 0.0, (rows - 1) / 2.0 * dv])
        for angle, radius in zip(angles, radii, strict=True)
    ]
    return PlanarImages(counts, windows, ("anterior", "posterior"), scan.pixel_mm, durations, header, np.array(corners))


def _mean_counts(
    phantom: Phantom, group: list[tuple[int, GammaScan]], threads: int, report: Callable[[float], None]
) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Mean counts of each scan of a group, all and primary only: (windows, views, rows, columns)."""
    tracers = tracers_of(phantom, [scan for _, scan in group])
    reference_kev = nuclide(phantom.injection.nuclide).photons[0][0]
    lines = [
        (tracer, energy, share)
        for tracer in tracers
        for (energy, _), share in zip(tracer.isotope.photons, tracer.line_shares, strict=True)
    ]
    counts: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    for line, (tracer, energy, share) in enumerate(lines):
        camera = GammaCamera(
            scene_of(phantom), tracer.camera, group[0][1], energy, tracer.activity_kbq_per_ml, phantom.finest_mm,
            phantom.rays_per_cell,
        )  # fmt: skip
        rates = camera.count(threads, lambda done, before=line: report((before + done) / len(lines)))  # type: ignore[misc]
        resolution = tracer.resolution_percent(energy, reference_kev)
        for time, (number, scan) in enumerate(group):
            part = _in_windows(rates, time, scan, energy, resolution, tracer.isotope.half_life_s)
            scaled = [np.float32(share) * each for each in part]
            before = counts.get(number)
            counts[number] = (
                (scaled[0], scaled[1]) if before is None else (before[0] + scaled[0], before[1] + scaled[1])
            )
    return counts


def _in_windows(
    rates: HeadCounts, time: int, scan: GammaScan, energy_kev: float, resolution_percent: float, half_life_s: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean counts that one line of the nuclide gives in a scan's windows, all and primary only."""
    fractions = window_fractions(energy_kev, resolution_percent, scan.window)
    # The sensitivity is that of the photopeak window, whatever part of the primary photons it holds.
    fractions /= fractions[:, 0].max()
    starts, durations = _view_times_s(scan)
    effective = durations * decay_factor(half_life_s, starts) / frame_start_factor(half_life_s, durations)
    seen = [part[time] * effective[:, None, None] for part in (rates.primary, rates.once, rates.twice)]
    primary = np.einsum("w,vrc->wvrc", fractions[:, 0], seen[0]).astype(np.float32)
    scattered = np.einsum("wo,ovrc->wvrc", fractions[:, 1:], np.stack(seen[1:]))
    return primary + scattered.astype(np.float32), primary


def _ct_series(scan: CtAcquisition, scanner: CtScanner, hu: NDArray[np.int16], header: AcquisitionHeader) -> CtSeries:
    geometry = Geometry.axial(
        (scan.slices, *scan.matrix),
        (scan.slice_spacing_mm, *scan.pixel_mm),
        scanner.first_voxel_mm,
        header.frame_of_reference_uid,
    )
    return CtSeries(Image(hu, geometry, "HU"), header, scan.kvp, "standard", scan.slice_spacing_mm)


def simulate_study(
    phantom: Phantom,
    seed: int = 0,
    progress: Progress | None = None,
    noise: bool = True,
    threads: int | None = None,
) -> SimulatedStudy:
    """Simulate every scan of a phantom.

    Parameters
    ----------
    phantom : Phantom
    seed : int
        The same seed gives the same counts, HU and UIDs, whatever the number of threads.
    progress : callable or None
        Told what is being simulated, and the fraction done of it.
    noise : bool
        Without it counts are the expected ones and the CT is free of noise.
    threads : int or None
        None uses every core.

    Returns
    -------
    SimulatedStudy
        Concentrations are those at a scan's start, and only decay goes on during it.

    Raises
    ------
    ProtocolError
        A scan cannot be made: a detector inside the body, a photon energy without a collimator.
    """
    workers = threads or os.cpu_count() or 1
    made: dict[int, Projections | PlanarImages | CtSeries] = {}
    means: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def reporter(what: str) -> Callable[[float], None]:
        return lambda done: progress(what, done) if progress is not None else None

    numbered = list(enumerate(phantom.acquisition))
    cameras = [(number, scan) for number, scan in numbered if not isinstance(scan, CtAcquisition)]
    for gamma in _in_groups(cameras, _HOW_LONG):
        radii = scan_radii_mm(scene_of(phantom), gamma[0][1])
        means |= _mean_counts(phantom, gamma, workers, reporter(_title(gamma)))
        for number, scan in gamma:
            mean = means[number][0]
            counts = np.random.default_rng([seed, number]).poisson(mean).astype(np.float32) if noise else mean
            made[number] = _gamma_scan(scan, counts, radii, _header(phantom, scan, seed, number))
    for group in _in_groups([(number, scan) for number, scan in numbered if isinstance(scan, CtAcquisition)], _WHEN):
        scanner = CtScanner(scene_of(phantom), group[0][1])
        noises = tuple(_block_generator(seed, number) if noise else None for number, _ in group)
        volumes = scanner.scan_hu(noises, workers, reporter(_title(group)))
        for (number, tomography), hu in zip(group, volumes, strict=True):
            made[number] = _ct_series(tomography, scanner, hu, _header(phantom, tomography, seed, number))
    order = sorted(made, key=lambda number: (phantom.start(phantom.acquisition[number]), number))
    return SimulatedStudy(
        phantom,
        Study(tuple(made[number] for number in order)),
        tuple(means[number][0] if number in means else None for number in order),
        tuple(means[number][1] if number in means else None for number in order),
        tuple(phantom.acquisition[number] for number in order),
    )


def _title(group: list[tuple[int, _Scan]]) -> str:
    return f"{group[0][1].kind} ({', '.join(scan.time_point for _, scan in group)})"


def _block_generator(seed: int, number: int) -> Callable[[int], np.random.Generator]:
    return lambda block: np.random.default_rng([seed, number, block])
