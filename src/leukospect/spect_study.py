"""One SPECT acquisition, from counts to images: scatter, uncorrected image, attenuation map, corrected image.

Functions from values to values; which of them run, and in what order, is the pipeline's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.ct.attenuation_map import completed_along_axis, smooth_to_resolution
from leukospect.data import Geometry, Image, Projections
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError
from leukospect.physics.attenuation import hu_to_mu
from leukospect.physics.collimators import FWHM_PER_SIGMA, Collimator, find_collimator
from leukospect.physics.nuclides import Nuclide
from leukospect.physics.scatter import estimate_scatter
from leukospect.physics.windows import find_photopeaks, nuclide_of_windows
from leukospect.projector import (
    counts_of_views,
    image_of_runs,
    reconstruction_geometry,
    runs_of_image,
    spect_projector,
    system_model,
    views_of_counts,
)
from leukospect.reconstruction import OrderedSubsets, poisson_log_likelihood, prepare_subsets, subset_views
from leukospect.registration import resample
from leukospect.spect_algorithms import (
    FEWEST_VIEWS,
    OsemPasses,
    Penalised,
    PreparedMethod,
    QuickLook,
    ReconstructionLog,
    prepare_penalised,
    prepare_quick_look,
)
from leukospect.support import Support

Array = NDArray[np.float32]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class PhotopeakCounts:
    """The counts that are reconstructed, and what goes with them.

    Parameters
    ----------
    counts : (views, columns, slices) array, the operators' order
        Measured counts of the photopeak windows, summed.
    scatter : array of the same shape, or None
        Expected scatter counts.
    scatter_method : str
    nuclide : Nuclide or None
        None where it is not recorded.
    energy_kev : float or None
        Of the photopeak; the mean by yield where several are summed; None without a nuclide.
    """

    counts: Array
    scatter: Array | None
    scatter_method: str
    nuclide: Nuclide | None
    energy_kev: float | None

    @property
    def half_life_s(self) -> float | None:
        """Half-life of the nuclide, s."""
        return None if self.nuclide is None else self.nuclide.half_life_s

    def energy_for(self, purpose: str) -> float:
        """Give the photopeak's energy, keV; where it is unknown, say what it is needed for."""
        if self.energy_kev is None:
            raise MissingInformationError(
                f"The acquisition does not record its radionuclide, which {purpose} needs; give --nuclide."
            )
        return self.energy_kev


def photopeak_counts(
    projections: Projections,
    *,
    scatter: str = "auto",
    scatter_k: float = 0.47,
    scatter_smoothing_fwhm_mm: float = 25.0,
    nuclide_name: str | None = None,
) -> PhotopeakCounts:
    """Find the photopeak windows by nuclide and limits, sum them, and estimate their scatter.

    Parameters
    ----------
    projections : Projections
    scatter, scatter_k, scatter_smoothing_fwhm_mm
        As in `physics.scatter.estimate_scatter`.
    nuclide_name : str or None
        Stands in for what the acquisition records.

    Raises
    ------
    InputError
        The windows do not fit the nuclide, or there are several and no nuclide is known.
    """
    recorded = projections.header.radiopharmaceutical
    named = nuclide_name or (recorded.nuclide if recorded else None)
    if named is None and len(projections.energy_windows) == 1:
        warnings.warn(
            "The radionuclide is not recorded: the only energy window is taken as its photopeak, and decay during the "
            "acquisition is not corrected.",
            AssumptionWarning,
            stacklevel=2,
        )
        _refuse_nothing(projections.counts[0])
        return PhotopeakCounts(views_of_counts(projections.counts[0]), None, "none", None, None)
    source = nuclide_of_windows(projections.energy_windows, named)
    others = tuple(one.nuclide for one in projections.header.other_radiopharmaceuticals if one.nuclide)
    peaks = find_photopeaks(projections.energy_windows, source, others)
    if any(name != source.name for name in others):
        warnings.warn(
            f"Another nuclide was injected too ({', '.join(others)}); what it scatters into the windows of "
            f"{source.name} is not corrected.",
            AssumptionWarning,
            stacklevel=2,
        )
    if len(peaks) > 1:
        warnings.warn(
            f"The {len(peaks)} photopeaks of {source.name} are summed, with attenuation and resolution at their mean "
            "energy by yield.",
            AssumptionWarning,
            stacklevel=2,
        )
    yields = dict(source.photons)
    energy = float(np.average([p.energy_kev for p in peaks], weights=[yields[p.energy_kev] for p in peaks]))
    if scatter == "auto" and "SCAT" in projections.header.corrections:
        warnings.warn(
            "The camera has corrected the projections for scatter already, so it is not corrected again.",
            AssumptionWarning,
            stacklevel=2,
        )
        scatter = "none"
    counts = _summed([projections.counts[index] for index in dict.fromkeys(p.peak for p in peaks)])
    estimates, methods = [], set()
    for peak in peaks:
        estimate, method = estimate_scatter(
            projections, peak, scatter, k=scatter_k, smoothing_fwhm_mm=scatter_smoothing_fwhm_mm
        )
        methods.add(method)
        if estimate is not None:
            estimates.append(estimate)
    _refuse_nothing(counts)
    if "none" in methods and scatter != "none":
        which = f"{len(estimates)} of {len(peaks)} photopeaks only" if estimates else "no photopeak"
        warnings.warn(
            f"Scatter windows fit {which}: scatter is not corrected{' fully' if estimates else ''}, and uptake in "
            "depth reads too high.",
            AssumptionWarning,
            stacklevel=2,
        )
    total = _summed(estimates) if estimates else None
    return PhotopeakCounts(
        views_of_counts(counts),
        None if total is None else views_of_counts(total),
        "+".join(sorted(methods)),
        source,
        energy,
    )


def _refuse_nothing(counts: Array) -> None:
    if not np.any(counts > 0):
        raise InputError("The photopeak's window holds no counts in any view; there is nothing to reconstruct.")


def _summed(arrays: list[Array]) -> Array:
    total = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total


def collimator_of(projections: Projections, name: str = "") -> Collimator:
    """Find the collimator of an acquisition by its header, or by the name given instead."""
    header = projections.header
    return find_collimator(name or header.collimator, header.manufacturer)


def attenuation_map(
    ct: Image,
    kvp: float | None,
    energy_kev: float,
    onto: Geometry,
    *,
    spect_to_ct: NDArray[np.float64] | None = None,
    smoothing_fwhm_mm: float = 10.0,
    hu_table: str = "scanner",
    coherent_counted: bool = True,
) -> Image:
    """Turn a CT into the attenuation map on the grid of a reconstruction.

    CT numbers become coefficients on the CT's own grid, are smoothed to SPECT resolution there, then resampled. Above
    and below the CT its end slices go on.

    Parameters
    ----------
    ct : Image, HU
    kvp : float or None
    energy_kev : float
    onto : Geometry
    spect_to_ct : (4, 4) array or None
        Takes SPECT points to CT points, LPS mm.
    smoothing_fwhm_mm : float
    hu_table : str
        Row set of the HU-to-mu table.
    coherent_counted : bool
        Leave coherent scattering out of the coefficient: the photopeak counts those photons, see
        `physics.attenuation.water_mu_per_cm`.

    Returns
    -------
    Image, 1/cm, zero beside the CT
    """
    hu = np.asarray(ct.array, np.float32)
    mu = Image(hu_to_mu(hu, kvp, energy_kev, hu_table, coherent_counted=coherent_counted), ct.geometry, "1/cm")
    smooth = smooth_to_resolution(mu, smoothing_fwhm_mm)
    sampled = resample(smooth, onto, fixed_to_moving=spect_to_ct, anti_alias=False)
    resampled = completed_along_axis(sampled, smooth, spect_to_ct)
    return Image(np.maximum(resampled.array.astype(np.float32), np.float32(0)), onto, "1/cm")


@dataclass(frozen=True, slots=True, eq=False)
class Reconstructor:
    """A model made ready, to reconstruct the measured counts or resampled ones.

    Parameters
    ----------
    subsets : OrderedSubsets
    support : Support
    geometry : Geometry
    method : PreparedMethod
    post_filter_fwhm_mm : float
    calibration_cps_per_mbq : float or None
        Counts per second and MBq of one head; with it images are in Bq/mL.
    uncalibrated_unit : str
        ``counts/s/mL``, or ``counts/view/mL`` where no duration is recorded.
    """

    subsets: OrderedSubsets
    support: Support
    geometry: Geometry
    method: PreparedMethod
    post_filter_fwhm_mm: float
    calibration_cps_per_mbq: float | None
    uncalibrated_unit: str = "counts/s/mL"

    def image(
        self,
        peak: PhotopeakCounts,
        counts: Array | None = None,
        progress: Progress | None = None,
        log: ReconstructionLog | None = None,
    ) -> Image:
        """Reconstruct the photopeak's counts, or `counts` in their place; `log` is told of the way."""
        measured = peak.counts if counts is None else counts
        volume = self.method.solve(measured, peak.scatter, progress, log or ReconstructionLog())
        unit = self.uncalibrated_unit
        if self.calibration_cps_per_mbq is not None:
            volume *= np.float32(1e6 / self.calibration_cps_per_mbq)
            unit = "Bq/mL"
        image = image_of_runs(volume, self.support, self.geometry, unit)
        return post_filter(image, self.post_filter_fwhm_mm)


def prepare_reconstruction(
    projections: Projections,
    peak: PhotopeakCounts,
    mu: Image | None,
    collimator: Collimator | None,
    *,
    iterations: int = 5,
    subsets: int = 15,
    method: Penalised | QuickLook | None = None,
    post_filter_fwhm_mm: float = 0.0,
    calibration_cps_per_mbq: float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Reconstructor:
    """Build the system model of an acquisition and its subsets.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts
    mu : Image or None
        On `reconstruction_geometry(projections)`; None leaves attenuation out.
    collimator : Collimator or None
        None leaves resolution recovery out.
    iterations, subsets : int
        Of OSEM; maximum a posteriori takes fewer subsets where one would have too few views.
    method : Penalised, QuickLook or None
        None takes OSEM.

    Raises
    ------
    MissingInformationError
        A calibration is given, but not for how long a view counted.
    """
    if calibration_cps_per_mbq is not None and not projections.duration_recorded:
        raise MissingInformationError(
            "The acquisition does not record for how long a view counted, so it cannot be calibrated to Bq/mL; leave "
            "--calibration-cps-per-mbq out."
        )
    energy_kev = 0.0 if collimator is None else peak.energy_for("resolution recovery")
    projector = spect_projector(projections, mu, collimator, energy_kev, threads=threads)
    model = system_model(projector, projections, peak.half_life_s)
    angles = projections.orbit.angles_deg
    if isinstance(method, Penalised):
        subsets = min(subsets, max(1, angles.size // FEWEST_VIEWS))
    divided = prepare_subsets(model, subset_views(angles, subsets), progress)
    prepared: PreparedMethod = OsemPasses(divided, iterations)
    if isinstance(method, Penalised):
        prepared = prepare_penalised(
            method, projections, divided, projector.support, peak.counts, peak.scatter, threads
        )
    elif isinstance(method, QuickLook):
        prepared = prepare_quick_look(method, projections, projector.support, mu, peak.half_life_s, threads)
    return Reconstructor(
        divided,
        projector.support,
        reconstruction_geometry(projections),
        prepared,
        post_filter_fwhm_mm,
        calibration_cps_per_mbq,
        "counts/s/mL" if projections.duration_recorded else "counts/view/mL",
    )


def post_filter(image: Image, fwhm_mm: float) -> Image:
    """Smooth an image by a Gaussian of this full width at half maximum; 0 leaves it as it is."""
    if fwhm_mm <= 0:
        return image
    sigma = [fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in image.geometry.spacing_mm]
    return replace(image, array=gaussian_filter(np.asarray(image.array, np.float32), sigma, mode="nearest"))


def resampled_counts(peak: PhotopeakCounts, seed: int) -> Array:
    """Draw counts anew from a Poisson distribution around the measured ones, in a fixed order for a seed."""
    drawn = np.random.default_rng(seed).poisson(peak.counts)
    return drawn.astype(np.float32)


def expected_counts(reconstructor: Reconstructor, image: Image, peak: PhotopeakCounts) -> Array:
    """Give the counts (views, rows, columns) that an image in counts/s/mL explains, scatter included."""
    runs = runs_of_image(image, reconstructor.support)
    views = np.zeros_like(peak.counts)
    for operator, indices in zip(reconstructor.subsets.operators, reconstructor.subsets.views, strict=True):
        views[indices] = operator.forward(runs)
    if peak.scatter is not None:
        views += peak.scatter
    return counts_of_views(views)


def log_likelihood(reconstructor: Reconstructor, image: Image, peak: PhotopeakCounts) -> float:
    """Give the Poisson log-likelihood of the measured counts for an image in counts/s/mL."""
    return poisson_log_likelihood(counts_of_views(peak.counts), expected_counts(reconstructor, image, peak))
