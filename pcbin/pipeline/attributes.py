"""Colours and normals of points on their way into an archive: what of them is kept beside a code, cells or points.
Knows neither formats nor archives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pcbin.cloud import Frame, usable
from pcbin.files import Cloud
from pcbin.quantised import Quantised

RANGES = (1.0, 255.0, 65535.0)  # that colours have, by what wrote them

Values = NDArray[np.generic]
Kept = Mapping[str, Values]


def read(cloud: Cloud, left: int) -> dict[str, Values]:
    """The attributes of a cloud that were read, of those `left` points (N, 3) that `pcbin.cloud.clean` keeps."""
    found = {name: values for name, values in cloud.attributes.items() if values is not None}
    if not found or left == len(cloud.points):
        return found
    finite = usable(cloud.points)
    return {name: values[finite] for name, values in found.items()}


def mean_colour(colours: NDArray[np.generic] | None) -> tuple[int, int, int] | None:
    """The mean of colours (N, 3), red, green and blue of 0 to 255; None of none. Their range is taken to be the least
    of 0 to 1 (of floats alone), to 255 and to 65,535 that holds them all."""
    if colours is None:
        return None
    numbers = colours.astype(np.float64)
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    if not len(numbers):
        return None
    ranges = [range for range in RANGES if range > 1 or colours.dtype.kind == "f"]
    whole = next((range for range in ranges if numbers.max() <= range), ranges[-1])
    red, green, blue = np.rint(255 * numbers.mean(axis=0) / whole).clip(0, 255).astype(int).tolist()
    return red, green, blue


def of_stored(attributes: Kept, points: NDArray[np.float64], frame: Frame, stored: object) -> Kept:
    """The attributes of what is stored of a cloud: as they are of its points (N, 3), averaged over cells, none of a
    code."""
    if stored is None:
        return {}
    if not isinstance(stored, Quantised):
        return attributes
    means = {name: stored.means(frame.to_unit(points), values) for name, values in attributes.items()}
    if "normals" in means and attributes["normals"].dtype.kind == "f":
        lengths = np.linalg.norm(means["normals"], axis=1, keepdims=True)
        means["normals"] = np.divide(means["normals"], lengths, out=means["normals"], where=lengths > 0)
    return {name: _as(values, attributes[name].dtype) for name, values in means.items()}


def _as(means: NDArray[np.float64], dtype: np.dtype[np.generic]) -> Values:
    return (np.rint(means) if dtype.kind in "iu" else means).astype(dtype)
