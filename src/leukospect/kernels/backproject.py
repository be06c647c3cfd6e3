"""Backprojection of views along parallel rays, without attenuation and response.

Arrays have the axial index last, so that one place's weights serve a whole run of voxels.
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

Array = Any


@compiled
def add_views(views: Array, angles: Array, weights: Array, first: int, last: int, image: Array) -> None:
    """Add to each place of rows `first` to `last` of an image the views' values where it lands, weighted.

    Parameters
    ----------
    views : (views, columns, slices) float32 array
        Taken as zero beyond its first and last column.
    angles : (views, 3) array
        Cosine, sine, and offset along the columns in pixels: a place (x, y) in pixels from the centre lands at column
        (columns - 1) / 2 - x cosine + y sine + offset.
    weights : (views,) float32 array
    first, last : int
    image : (rows, columns, slices) float32 array
    """
    rows, wide, slices = image.shape
    columns = views.shape[1]
    for j in range(first, last):
        for i in range(wide):
            x, y = i - 0.5 * (wide - 1), j - 0.5 * (rows - 1)
            run = image[j, i]
            for v in range(views.shape[0]):
                at = 0.5 * (columns - 1) - x * angles[v, 0] + y * angles[v, 1] + angles[v, 2]
                left = floor(at)
                after = np.float32(at - left) * weights[v]
                before = weights[v] - after
                if 0 <= left < columns:
                    near = views[v, left]
                    for k in range(slices):
                        run[k] += before * near[k]
                if -1 <= left < columns - 1:
                    far = views[v, left + 1]
                    for k in range(slices):
                        run[k] += after * far[k]
