"""What to try next for a collection: options measured on a sample of its clouds, in bounded time. Knows no archive."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pcbin.codec import Codec
from pcbin.model import Model
from pcbin.pipeline.summary import Advice, Distortion

SECONDS = 1.0  # that advice may take at least, and goes over by one cloud at most
WORTH = 0.02  # of the distance: what gains less is not told
NEAR, FAR = 1.1, 2.0  # times the floor: nothing is left to gain; the model does not know these shapes

Distance = Callable[[NDArray[np.float32]], float]  # of one cloud (1, points, 3) and its decode


def advise(
    model: Model, effort: int, samples: Sequence[NDArray[np.float32]], found: Distortion, seconds: float
) -> list[Advice]:
    """The options that would lower the distortion of a collection compressed with this effort, the best first.

    `samples` are some of its clouds, as the model takes them; as many of them are tried as the time allows. That a
    model can be fine-tuned is said where it is far from the floor; that would take too long to try.
    """
    if found.floor is not None and found.mean <= NEAR * found.floor:
        return []
    more = max(2, 2 * effort)
    options = {(f"--effort {more}", "slower, no more bytes"): _searching(model, more)}
    plain = _searching(model, effort)
    until = time.monotonic() + max(SECONDS, seconds)
    rows = []
    for place in np.random.default_rng(0).permutation(len(samples)):
        sample = samples[place]
        rows.append([plain(sample[None]), *(distance(sample[None]) for distance in options.values())])
        if time.monotonic() > until:
            break
    before, *after = np.mean(rows, axis=0).tolist()
    tried = [
        Advice(option, cost, before, value, len(rows))
        for (option, cost), value in zip(options, after, strict=True)
        if value < (1 - WORTH) * before
    ]
    tried.sort(key=lambda advice: advice.after)
    if found.floor is not None and found.mean > FAR * found.floor:
        option = f"pcbin train PATH --from {model.name}"
        tried.append(Advice(option, "minutes, and a model to keep", found.mean, found.floor, found.clouds, bound=True))
    return tried


def _searching(model: Model, effort: int) -> Distance:
    codec = Codec(model, effort)
    return lambda cloud: float(codec.distortion(cloud, codec.encode(cloud))[0])
