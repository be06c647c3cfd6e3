"""Slices of the phantoms to look at: the truth, without noise, and at each count level."""

from __future__ import annotations

import numpy as np

from leukospect.benchmark import accuracy_rods
from leukospect.benchmark.accuracy_bench import Bench
from leukospect.benchmark.accuracy_cases import Case
from leukospect.benchmark.accuracy_reconstruction import ALL
from leukospect.benchmark.accuracy_results import Slice
from leukospect.benchmark.accuracy_spheres import IEC
from leukospect.data import Image

_SHOWN = ((IEC, 30.0, "IEC body, spheres"), (accuracy_rods.PHANTOM, 34.0, "Jaszczak, cold spheres"),
          (accuracy_rods.PHANTOM, -50.0, "Jaszczak, cold rods"))  # fmt: skip


def slices_of(bench: Bench) -> list[Slice]:
    """Reconstruct the IEC and Jaszczak phantoms with all corrections, and cut them where there is something to see."""
    shown: list[Slice] = []
    levels = sorted(bench.settings.millions, reverse=True)
    for name in dict.fromkeys(name for name, _, _ in _SHOWN):
        case = bench.case(name)
        made = bench.reconstruction(case, ALL)
        bench.tell("slices to look at", 0.0)
        images: list[tuple[str, Image]] = [("truth", case.truth), ("without noise", made.image())]
        for level, millions in enumerate(levels):
            drawn = case.draw(millions, (bench.settings.seed, 200 + level))
            images.append((f"{millions:g} million counts", made.image(drawn)))
        for _, z_mm, title in (one for one in _SHOWN if one[0] == name):
            shown += [Slice(title, what, _cut(case, image, z_mm), case.truth.geometry.spacing_mm[1])
                      for what, image in images]  # fmt: skip
    return shown


def _cut(case: Case, image: Image, z_mm: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Give the slice at a height, relative to the true background."""
    slices = image.geometry.shape[0]
    heights = image.geometry.to_lps(np.column_stack([np.arange(slices), np.zeros(slices), np.zeros(slices)]))[:, 2]
    chosen = int(np.argmin(np.abs(heights - z_mm)))
    return np.asarray(image.array[chosen], np.float32) / np.float32(case.level())
