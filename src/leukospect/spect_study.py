"""One SPECT acquisition, from counts to images: uncorrected image, attenuation map, corrected image.

Functions from values to values; which of them run, and in what order, is the pipeline's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.body_support import body_support
from leukospect.ct.attenuation_map import completed_along_axis, smooth_in_place
from leukospect.ct.coefficients import KnownMatter, coefficients_of_ct
from leukospect.data import Geometry, Image, Projections
from leukospect.errors import InputError, MissingInformationError
from leukospect.field_of_view import FieldOfView, together
from leukospect.joint_peaks import Shares, estimated_shares, joint_model, stacked_views
from leukospect.operators import ViewOperator
from leukospect.photopeaks import PhotopeakCounts
from leukospect.physics.collimators import FWHM_PER_SIGMA, Collimator, find_collimator
from leukospect.projector import (
    counts_of_views,
    image_of_runs,
    reconstruction_geometry,
    runs_of_image,
    spect_projector,
    system_model,
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
from leukospect.view_compositions import CroppedColumns

Array = NDArray[np.float32]
Progress = Callable[[float], None]


def collimator_of(projections: Projections, name: str = "") -> Collimator:
    """Find the collimator of an acquisition by its header, or by the name given instead."""
    header = projections.header
    return find_collimator(name or header.collimator, header.manufacturer, header.model)


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
    known: KnownMatter | None = None,
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
    known : KnownMatter or None
        What fills some voxels, in place of what their CT numbers tell.

    Returns
    -------
    Image, 1/cm, zero beside the CT
    """
    mu = coefficients_of_ct(ct, kvp, energy_kev, hu_table, coherent_counted=coherent_counted, known=known)
    smooth_in_place(mu, ct.geometry.spacing_mm, smoothing_fwhm_mm)
    smooth = Image(mu, ct.geometry, "1/cm")
    sampled = resample(smooth, onto, fixed_to_moving=spect_to_ct, anti_alias=False)
    resampled = completed_along_axis(sampled, smooth, spect_to_ct)
    return Image(np.maximum(resampled.array.astype(np.float32), np.float32(0)), onto, "1/cm")


@dataclass(frozen=True, slots=True, eq=False)
class Reconstructor:
    """A model made ready, to reconstruct the measured counts or resampled ones.

    Parameters
    ----------
    subsets : OrderedSubsets
    shares : tuple of float
        Of the counts, of each photopeak; together 1.
    support : Support
    geometry : Geometry
        Of the grid, wider than the recorded one where `field` is.
    method : PreparedMethod
    post_filter_fwhm_mm : float
    calibration_cps_per_mbq : float or None
        Counts per second and MBq of one head; with it images are in Bq/mL.
    uncalibrated_unit : str
        ``counts/s/mL``, or ``counts/view/mL`` where no duration is recorded.
    field : FieldOfView or None
        What of the views was measured; None is all, on the recorded grid.
    """

    subsets: OrderedSubsets
    shares: Shares
    support: Support
    geometry: Geometry
    method: PreparedMethod
    post_filter_fwhm_mm: float
    calibration_cps_per_mbq: float | None
    uncalibrated_unit: str = "counts/s/mL"
    field: FieldOfView | None = None

    def image(
        self,
        peak: PhotopeakCounts,
        counts: Array | None = None,
        progress: Progress | None = None,
        log: ReconstructionLog | None = None,
    ) -> Image:
        """Reconstruct the photopeak's counts, or `counts` in their place; `log` is told of the way."""
        peak = peak if counts is None else replace(peak, counts=counts)
        data = peak if self.field is None else measured(peak, self.field)
        volume = self.method.solve(data.counts, data.scatter, progress, log or ReconstructionLog())
        unit = self.uncalibrated_unit
        if self.calibration_cps_per_mbq is not None:
            volume *= np.float32(1e6 / self.calibration_cps_per_mbq)
            unit = "Bq/mL"
        image = image_of_runs(volume, self.support, self.geometry, unit)
        image = post_filter(image, self.post_filter_fwhm_mm)
        return image if self.field is None else self.field.cropped(image)


def prepare_reconstruction(
    projections: Projections,
    peak: PhotopeakCounts,
    mu: Image | Sequence[Image] | None,
    collimator: Collimator | None,
    *,
    iterations: int = 5,
    subsets: int = 15,
    method: Penalised | QuickLook | None = None,
    post_filter_fwhm_mm: float = 0.0,
    calibration_cps_per_mbq: float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    field: FieldOfView | None = None,
) -> Reconstructor:
    """Build the system model of an acquisition and its subsets.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts
    mu : Image, sequence of Image, or None
        On `reconstruction_geometry` of the acquisition, widened as `field` is; for each photopeak of `peak` one at its
        energy, or the only one's; None leaves attenuation out.
    collimator : Collimator or None
        None leaves resolution recovery out.
    iterations, subsets : int
        Of OSEM; maximum a posteriori takes fewer subsets where one would have too few views.
    method : Penalised, QuickLook or None
        None takes OSEM.
    field : FieldOfView or None
        What was measured, and the grid; None takes the columns as they are recorded.

    Raises
    ------
    MissingInformationError
        A calibration is given, but not for how long a view counted.
    InputError
        There are not as many maps as photopeaks.
    """
    if calibration_cps_per_mbq is not None and not projections.duration_recorded:
        raise MissingInformationError(
            "The acquisition does not record for how long a view counted, so it cannot be calibrated to Bq/mL; leave "
            "--calibration-cps-per-mbq out."
        )
    field = field or FieldOfView.recorded(projections)
    grid, data = field.widened(projections), measured(peak, field)
    maps = _map_of_each(peak, mu)
    models, support = _peak_models(projections, peak, maps, collimator, field, threads)
    angles = projections.orbit.angles_deg
    if isinstance(method, Penalised):
        subsets = min(subsets, max(1, angles.size // FEWEST_VIEWS))
    shares = estimated_shares(models, data, angles)
    views = stacked_views(subset_views(angles, subsets), angles.size, peak.windows)
    divided = prepare_subsets(joint_model(models, shares, peak.peaks), views, progress)
    prepared: PreparedMethod = OsemPasses(divided, iterations)
    if isinstance(method, Penalised):
        prepared = prepare_penalised(method, grid, divided, support, data.counts, data.scatter, threads)
    elif isinstance(method, QuickLook):
        prepared = prepare_quick_look(method, grid, support, maps[peak.main], peak.half_life_s, threads)
    return Reconstructor(
        divided,
        shares,
        support,
        reconstruction_geometry(grid),
        prepared,
        post_filter_fwhm_mm,
        calibration_cps_per_mbq,
        "counts/s/mL" if projections.duration_recorded else "counts/view/mL",
        field,
    )


def _peak_models(
    projections: Projections,
    peak: PhotopeakCounts,
    maps: Sequence[Image | None],
    collimator: Collimator | None,
    field: FieldOfView,
    threads: int | None,
) -> tuple[list[ViewOperator], Support]:
    """Build the system model of each photopeak, on the grid of the field and cut to what was measured."""
    energies = (0.0,) * len(peak.peaks) if collimator is None else peak.energies_for("resolution recovery")
    grid, within = field.widened(projections), field.support(projections, maps[0])
    if within is None and maps[0] is not None:
        counts, scatter = together(peak.counts, peak.windows), peak.scatter
        within = body_support(
            projections, counts, scatter if scatter is None else together(scatter, peak.windows), maps[0]
        )
    projectors = [
        spect_projector(grid, each, collimator, energy, threads=threads, within=within)
        for each, energy in zip(maps, energies, strict=True)
    ]
    whole = [system_model(projector, grid, peak.half_life_s) for projector in projectors]
    if field == FieldOfView.recorded(projections):
        return list(whole), projectors[0].support
    first, stop = field.first + field.added, field.stop + field.added
    return [CroppedColumns(model, first, stop) for model in whole], projectors[0].support


def _map_of_each(peak: PhotopeakCounts, mu: Image | Sequence[Image] | None) -> Sequence[Image | None]:
    """Give each photopeak's attenuation map, or None."""
    maps = [None] * len(peak.peaks) if mu is None else [mu] if isinstance(mu, Image) else list(mu)
    if len(maps) != len(peak.peaks):
        raise InputError(
            f"{len(peak.peaks)} photopeaks need an attenuation map at the energy of each; found {len(maps)}."
        )
    return maps


def measured(peak: PhotopeakCounts, field: FieldOfView) -> PhotopeakCounts:
    """Leave out the columns that were not measured."""
    scatter = None if peak.scatter is None else peak.scatter[:, field.measured]
    return replace(peak, counts=np.ascontiguousarray(peak.counts[:, field.measured]), scatter=scatter)


def post_filter(image: Image, fwhm_mm: float) -> Image:
    """Smooth an image by a Gaussian of this full width at half maximum; 0 leaves it as it is."""
    if fwhm_mm <= 0:
        return image
    sigma = [fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in image.geometry.spacing_mm]
    return replace(image, array=gaussian_filter(np.asarray(image.array, np.float32), sigma, mode="nearest"))


def expected_counts(reconstructor: Reconstructor, image: Image, peak: PhotopeakCounts) -> Array:
    """Give the counts that an image in counts/s/mL explains, scatter included: (windows x views, rows, columns).

    Of a wider grid only what was kept of it counts; columns that were not measured are zero.
    """
    field = reconstructor.field
    if field is not None:
        image = field.embedded(image, reconstructor.geometry)
    runs = runs_of_image(image, reconstructor.support)
    views = np.zeros_like(peak.counts)
    columns = slice(None) if field is None else field.measured
    for operator, indices in zip(reconstructor.subsets.operators, reconstructor.subsets.views, strict=True):
        views[indices, columns] = operator.forward(runs)
    if peak.scatter is not None:
        views += peak.scatter
    return counts_of_views(views)


def log_likelihood(reconstructor: Reconstructor, image: Image, peak: PhotopeakCounts) -> float:
    """Give the Poisson log-likelihood of the measured counts for an image in counts/s/mL."""
    return poisson_log_likelihood(counts_of_views(peak.counts), expected_counts(reconstructor, image, peak))
