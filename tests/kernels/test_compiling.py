"""Compiled loops give the same bits whether they were compiled just now or found on disk, and need no disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import CacheImpl

from leukospect.kernels.compiling import compiled
from leukospect.phantoms.compiling import compiled as of_simulation

RECONSTRUCTIONS = """
import hashlib
import numpy as np
from leukospect.kernels.ct_beam import FanBeam, ParallelBeam, adjoint, filtered_backprojection, forward

parallel = ParallelBeam((61, 64), (1.5, 1.4), np.arange(90) * np.pi / 90, 97, 1.4)
for beam in (parallel, FanBeam.covering((61, 64), (1.5, 1.4), 90, 500.0)):
    image = np.random.default_rng(3).uniform(0.0, 0.02, beam.shape).astype(np.float32)
    rays = forward(beam, image)
    for made in (rays, adjoint(beam, rays), filtered_backprojection(beam, rays)):
        print(hashlib.sha256(made.tobytes()).hexdigest())
"""


def test_the_first_run_after_installing_gives_the_bits_of_later_ones(tmp_path: Path) -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", RECONSTRUCTIONS],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert any(tmp_path.rglob("*.nbc"))
    assert len(set(runs[0])) == 6
    assert runs[0] == runs[1]


@pytest.mark.parametrize("compiler", [compiled, of_simulation(fastmath=True)])
def test_loops_run_where_nothing_can_be_kept_on_disk(
    monkeypatch: pytest.MonkeyPatch, compiler: Callable[[Callable[..., None]], Callable[..., None]]
) -> None:
    for kind in [CacheImpl, *CacheImpl.__subclasses__()]:
        monkeypatch.setattr(kind, "_locator_classes", [])

    @compiler
    def doubled(values: np.ndarray) -> None:
        for n in range(values.size):
            values[n] *= 2.0

    values = np.arange(4.0)
    doubled(values)
    assert values.tolist() == [0.0, 2.0, 4.0, 6.0]
