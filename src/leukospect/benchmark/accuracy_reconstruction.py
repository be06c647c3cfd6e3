"""How the accuracy benchmark reconstructs: through the program's public functions, corrections on or off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from leukospect.benchmark.accuracy_cases import TRUTH_SAMPLES, Case, Draw
from leukospect.data import Image, Projections
from leukospect.phantoms import attenuation_map
from leukospect.photopeaks import PhotopeakCounts, photopeak_counts
from leukospect.projector import views_of_counts
from leukospect.spect_algorithms import OsemPasses
from leukospect.spect_study import Reconstructor, collimator_of, prepare_reconstruction

Scatter = Literal["true", "tew", "none"]


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is corrected, and what this is called in tables.

    Parameters
    ----------
    name : str
    attenuation : bool
        With the phantom's own map, averaged over each voxel.
    scatter : ``true`` (the simulation's own scatter counts), ``tew`` or ``none``
    resolution : bool
    """

    name: str
    attenuation: bool = True
    scatter: Scatter = "tew"
    resolution: bool = True


ALL_TRUE_SCATTER = Corrections("all, true scatter", scatter="true")
ALL = Corrections("all (TEW)")
NO_SCATTER = Corrections("no scatter correction", scatter="none")
NO_ATTENUATION = Corrections("no attenuation correction", attenuation=False)
NO_RESOLUTION = Corrections("no resolution recovery", resolution=False)
NOTHING = Corrections("no correction", attenuation=False, scatter="none", resolution=False)


class Reconstruction:
    """A case's system model, made once and used for many counts and numbers of iterations.

    Parameters
    ----------
    case : Case
    corrections : Corrections
    iterations, subsets : int
    threads : int or None
    """

    def __init__(
        self, case: Case, corrections: Corrections, iterations: int, subsets: int, threads: int | None = None
    ) -> None:
        self.case, self.corrections, self.iterations, self.subsets = case, corrections, iterations, subsets
        self._model = self._prepared(threads)

    def _prepared(self, threads: int | None) -> Reconstructor:
        peak = self._peak(self.case.projections, 1.0)
        mu = self._attenuation(peak) if self.corrections.attenuation else None
        return prepare_reconstruction(
            self.case.projections,
            peak,
            mu,
            collimator_of(self.case.projections) if self.corrections.resolution else None,
            iterations=self.iterations,
            subsets=self.subsets,
            threads=threads,
        )

    def _attenuation(self, peak: PhotopeakCounts) -> tuple[Image, ...]:
        """Give the phantom's own map at the energy of each photopeak."""
        maps = [
            attenuation_map(self.case.phantom, energy, self.case.truth.geometry, TRUTH_SAMPLES, coherent_counted=True)
            for energy in peak.energies_for("the attenuation map")
        ]
        return tuple(Image(np.asarray(mu.array, np.float32), mu.geometry, mu.unit) for mu in maps)

    def _peak(self, projections: Projections, scale: float) -> PhotopeakCounts:
        true = self.corrections.scatter == "true"
        peak = photopeak_counts(projections, scatter="none" if true else self.corrections.scatter)
        if not true:
            return peak
        windows = [views_of_counts(self.case.scattered[index]) for index in self.case.photopeak_windows]
        return replace(peak, scatter=np.concatenate(windows) * np.float32(scale))

    def image(self, draw: Draw | None = None, iterations: int | None = None) -> Image:
        """Reconstruct the mean counts, or a draw of noisy ones, in counts/s/mL of the truth's activity."""
        scale = 1.0 if draw is None else draw.scale
        peak = self._peak(self.case.projections if draw is None else draw.projections, scale)
        passes = OsemPasses(self._model.subsets, iterations or self.iterations)
        image = replace(self._model, method=passes).image(peak)
        return Image(np.asarray(image.array, np.float32) / np.float32(scale), image.geometry, image.unit)
