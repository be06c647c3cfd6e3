"""How the counts of an acquisition become an image besides OSEM: what each method needs, made ready for an acquisition.

A prepared method takes the operators' views (views, columns, slices) to runs (places, slices).
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.filtered_backprojection import Window, angular_shares, chang_factors, filtered_backprojection
from leukospect.penalised import Pass, maximum_a_posteriori, mean_activity, sensitivity_of
from leukospect.penalty import Penalty, RelativeDifferencePenalty
from leukospect.projector import reconstruction_geometry, spect_projector, view_factors
from leukospect.reconstruction import OrderedSubsets, osem, poisson_log_likelihood
from leukospect.support import Support

Array = NDArray[np.float32]
Progress = Callable[[float], None]

FEWEST_VIEWS = 6
"""Views of a subset of maximum a posteriori."""

_EPSILON = 0.01
"""Activity below this part of the mean is penalised quadratically."""


@dataclass(frozen=True, slots=True)
class Penalised:
    """Maximum a posteriori with the relative difference prior.

    Parameters
    ----------
    strength : float
        Without unit: it weighs relative differences by the counts a voxel is expected to give over the acquisition
        (activity times sensitivity), so that neither the unit nor the duration matters, and depth does little.
    gamma : float
        As in `penalty.RelativeDifferencePenalty`.
    passes : int
    stop_below : float
        As in `penalised.maximum_a_posteriori`.
    """

    strength: float = 0.005
    gamma: float = 2.0
    passes: int = 15
    stop_below: float = 0.0


@dataclass(frozen=True, slots=True)
class QuickLook:
    """Filtered backprojection, with Chang's correction where there is an attenuation map."""

    window: Window = field(default_factory=Window)


@dataclass(slots=True)
class ReconstructionLog:
    """What a reconstruction tells of its way; `measure` asks for the objective of every pass."""

    measure: bool = False
    objective: list[Pass] = field(default_factory=list)
    passes: int = 0


class PreparedMethod(ABC):
    """A method made ready for an acquisition."""

    @abstractmethod
    def solve(self, counts: Array, scatter: Array | None, progress: Progress | None, log: ReconstructionLog) -> Array:
        """Reconstruct counts to runs (places, slices)."""


@dataclass(frozen=True, slots=True, eq=False)
class OsemPasses(PreparedMethod):
    """OSEM, or MLEM where there is one subset."""

    subsets: OrderedSubsets
    iterations: int

    def solve(self, counts: Array, scatter: Array | None, progress: Progress | None, log: ReconstructionLog) -> Array:
        """Reconstruct counts to runs (places, slices)."""
        log.passes = self.iterations
        if not log.measure:
            return osem(self.subsets, counts, scatter, iterations=self.iterations, progress=progress)
        image = osem(self.subsets, counts, scatter, iterations=1)
        for number in range(1, self.iterations + 1):
            if number > 1:
                image = osem(self.subsets, counts, scatter, iterations=1, start=image)
            log.objective.append(Pass(number, _log_likelihood(self.subsets, image, counts, scatter)))
            if progress is not None:
                progress(number / self.iterations)
        return image


def _log_likelihood(subsets: OrderedSubsets, image: Array, counts: Array, scatter: Array | None) -> float:
    total = 0.0
    for operator, views in zip(subsets.operators, subsets.views, strict=True):
        expected = operator.forward(image) + (0 if scatter is None else scatter[views])
        total += poisson_log_likelihood(counts[views], expected)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPenalised(PreparedMethod):
    """Maximum a posteriori with a penalty on the support."""

    subsets: OrderedSubsets
    penalty: Penalty
    settings: Penalised

    def solve(self, counts: Array, scatter: Array | None, progress: Progress | None, log: ReconstructionLog) -> Array:
        """Reconstruct counts to runs (places, slices)."""

        def made(passes: int) -> None:
            log.passes = passes

        return maximum_a_posteriori(
            self.subsets,
            self.penalty,
            counts,
            scatter,
            passes=self.settings.passes,
            stop_below=self.settings.stop_below,
            record=log.objective.append if log.measure else None,
            made=made,
            progress=progress,
        )


@dataclass(frozen=True, slots=True, eq=False)
class PreparedQuickLook(PreparedMethod):
    """Filtered backprojection of the views of an orbit.

    Parameters
    ----------
    support : Support
    angles_deg, offsets_px, factors : (views,) arrays
        `factors` are the counts of a view for a line sum of 1.
    pixel_mm : (axial, transverse)
    window : Window
    correction : (places, slices) array or None
        Chang's factors.
    threads : int or None
    """

    support: Support
    angles_deg: NDArray[np.float64]
    offsets_px: NDArray[np.float64] | None
    factors: NDArray[np.float64]
    pixel_mm: tuple[float, float]
    window: Window
    correction: Array | None
    threads: int | None

    def solve(self, counts: Array, scatter: Array | None, progress: Progress | None, log: ReconstructionLog) -> Array:
        """Reconstruct counts to runs (places, slices); those of several windows are added up."""
        if log.measure:
            raise InputError("Filtered backprojection climbs no objective; leave --objective out.")
        primary = counts if scatter is None else counts - scatter
        views = primary.reshape(-1, self.factors.size, *counts.shape[1:]).sum(axis=0)
        sums = views / self.factors[:, None, None].astype(np.float32)
        image = filtered_backprojection(
            sums, self.angles_deg, self.pixel_mm, offsets_px=self.offsets_px, window=self.window, threads=self.threads
        )
        runs = self.support.runs(image)
        log.passes = 1
        if progress is not None:
            progress(1.0)
        return runs if self.correction is None else runs * self.correction


def prepare_penalised(
    settings: Penalised,
    projections: Projections,
    subsets: OrderedSubsets,
    support: Support,
    counts: Array,
    scatter: Array | None,
    threads: int | None = None,
) -> PreparedPenalised:
    """Make the penalty for an acquisition: each pair weighs as the root of both voxels' sensitivities."""
    penalty = RelativeDifferencePenalty(
        support,
        reconstruction_geometry(projections).spacing_mm,
        np.sqrt(sensitivity_of(subsets)),
        strength=settings.strength,
        epsilon=_EPSILON * mean_activity(subsets, counts, scatter),
        gamma=settings.gamma,
        threads=threads,
    )
    return PreparedPenalised(subsets, penalty, settings)


def prepare_quick_look(
    settings: QuickLook,
    projections: Projections,
    support: Support,
    mu: Image | None,
    half_life_s: float | None,
    threads: int | None = None,
) -> PreparedQuickLook:
    """Make filtered backprojection ready for an acquisition, and say what it leaves out."""
    orbit, transverse = projections.orbit, projections.pixel_mm[1]
    shares = angular_shares(orbit.angles_deg)
    correction = None
    if mu is not None:
        attenuated, plain = (
            spect_projector(projections, each, None, 0.0, threads=threads, within=support.mask) for each in (mu, None)
        )
        correction = chang_factors(attenuated, plain, shares)
    warnings.warn(
        "Filtered backprojection is a quick look: the response of the collimator is not modelled, scatter is "
        "subtracted from the counts, attenuation is corrected by Chang's factors, which hold for a point, and noise "
        "makes values negative in places.",
        AssumptionWarning,
        stacklevel=2,
    )
    return PreparedQuickLook(
        support,
        orbit.angles_deg,
        None if orbit.centre_offset_mm is None else orbit.centre_offset_mm / transverse,
        view_factors(projections, half_life_s) * reconstruction_geometry(projections).voxel_volume_ml,
        projections.pixel_mm,
        settings.window,
        correction,
        threads,
    )
