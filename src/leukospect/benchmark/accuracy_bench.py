"""What the studies of the accuracy benchmark share: settings, simulated cases kept in memory, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from leukospect.benchmark.accuracy_cases import Case, Scanning, simulated_case
from leukospect.benchmark.accuracy_reconstruction import Corrections, Reconstruction
from leukospect.benchmark.accuracy_results import NOISE_FREE, AccuracySettings, Conditions, Measure
from leukospect.phantoms import Phantom, read_phantom

Progress = Callable[[str, float], None]
Extent = Literal["usual", "many", "deep"]
EXTENTS: tuple[Extent, ...] = ("usual", "many")


class Bench:
    """A run of the benchmark.

    Parameters
    ----------
    settings : AccuracySettings
    threads : int or None
    progress : function of a stage's name and the fraction of it done, or None
    """

    def __init__(
        self, settings: AccuracySettings, threads: int | None = None, progress: Progress | None = None
    ) -> None:
        self.settings, self.threads = settings, threads
        self._progress = progress or (lambda stage, fraction: None)
        self._cases: dict[tuple[str, Scanning], Case] = {}

    def case(self, phantom: str | Phantom, scanning: Scanning | None = None) -> Case:
        """Simulate a phantom's scan, once in a run."""
        made = read_phantom(phantom) if isinstance(phantom, str) else phantom
        way = scanning or Scanning()
        if (made.name, way) not in self._cases:
            stage = f"simulating {made.name} ({way.nuclide}, {way.orbit}, {way.arc_deg} degrees)"
            self._cases[made.name, way] = simulated_case(
                made,
                way,
                coarsening=self.settings.coarsening,
                threads=self.threads,
                report=lambda done: self._progress(stage, done),
            )
        return self._cases[made.name, way]

    def forget(self) -> None:
        """Give back the memory of the cases."""
        self._cases.clear()

    def reconstruction(self, case: Case, corrections: Corrections, extent: Extent = "usual") -> Reconstruction:
        """Prepare a reconstruction as it is judged, or with many iterations, or with as many as show convergence."""
        chosen = self.settings
        iterations, subsets = {
            "usual": (chosen.iterations, chosen.subsets),
            "many": (chosen.many_iterations, chosen.many_subsets),
            "deep": (chosen.deep_iterations, chosen.many_subsets),
        }[extent]
        return Reconstruction(case, corrections, iterations, subsets, self.threads)

    def tell(self, stage: str, fraction: float) -> None:
        """Report how far a stage is."""
        self._progress(stage, fraction)


def conditions(
    made: Reconstruction,
    *,
    millions: float = NOISE_FREE,
    iterations: int | None = None,
    post_filter_fwhm_mm: float = 0.0,
) -> Conditions:
    """Give the conditions of a reconstruction's image."""
    way = made.case.scanning
    return Conditions(
        phantom=made.case.phantom.name,
        nuclide=way.nuclide,
        orbit=way.orbit,
        arc_deg=way.arc_deg,
        corrections=made.corrections.name,
        millions=millions,
        iterations=iterations or made.iterations,
        subsets=made.subsets,
        post_filter_fwhm_mm=post_filter_fwhm_mm,
    )


def recorder(study: str, under: Conditions, into: list[Measure]) -> Callable[[str, str, float, str], None]:
    """Give a function that adds a region's quantity, value and unit to a list."""
    return lambda region, quantity, value, unit: into.append(Measure(study, under, region, quantity, value, unit))
