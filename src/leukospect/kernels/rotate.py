"""Bilinear rotation of a run of voxels, and its exact transpose.

The axial index is the fastest in memory, so the four weights of one transverse place serve a whole run of voxels:
nothing gathers inside a run and the loops vectorise.
"""

from __future__ import annotations

from typing import Any

from leukospect.kernels.compiling import compiled

Row = Any
Weight = Any


@compiled
def gather(a: Row, b: Row, c: Row, d: Row, wa: Weight, wb: Weight, wc: Weight, wd: Weight, out: Row) -> None:
    """Interpolate one run: out = wa a + wb b + wc c + wd d."""
    for k in range(out.size):
        out[k] = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k]


@compiled
def scatter(run: Row, wa: Weight, wb: Weight, wc: Weight, wd: Weight, a: Row, b: Row, c: Row, d: Row) -> None:
    """Transpose of `gather`: add the run, weighted, to the four runs it would be interpolated from."""
    for k in range(run.size):
        value = run[k]
        a[k] += wa * value
        b[k] += wb * value
        c[k] += wc * value
        d[k] += wd * value
