"""Fits the prior that ships with a model, the default of `pcbin sample`, to the codes of its training shapes.

    python models/fit_prior.py POOL.npz... [--model shapes-128]

Pools are arrays as `pcbin train` takes them, with labels; the training split is used, as the encoder alone codes it:
such codes are more alike than those that a search finds, and make the better prior. Writes MODEL.prior beside MODEL.
"""

import argparse
from collections import Counter

import numpy as np

from pcbin.codec import Codec
from pcbin.model import load, locate
from pcbin.prior import fit
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("pools", nargs="+")
parser.add_argument("--model", default="shapes-128")
options = parser.parse_args()

model = load(options.model)
parts = [pool.part("train") for pool in load_pools(options.pools)]
codes = np.concatenate([Codec(model, effort=0).encode(halves(part.points)[0]) for part in parts if len(part)])
every = [f"{part.name}/{label}" for part in parts for label in part.labels]
often = Counter(every)
labels = [label if often[label] >= 10 else "other" for label in every]
prior = fit(codes, labels=labels, model_sha256=model.sha256)
path = locate(options.model).with_suffix(".prior")
prior.save(path, overwrite=True)
shapes = f"{len(codes):,} codes of {len(prior.labels):,} labels"
print(f"{path}: {len(prior.share):,} components for {shapes}, {path.stat().st_size:,} bytes")
