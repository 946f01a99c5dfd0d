"""What codes are good for beyond storing: retrieval, generation, clusters and interpolation on held-out shapes.

    python benchmarks/codes.py POOL.npz... [--model shapes-128]

Pools are arrays as `pcbin train` takes them, with labels; their test split is judged, and the prior is fitted to
codes of their training split. Chamfer distances between sets use 512 points of each cloud.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from pcbin import cluster, latent, prior
from pcbin.algebra import Bits
from pcbin.cli.report import cd, table
from pcbin.codec import Codec
from pcbin.generation import POINTS, pairwise_chamfer, quality
from pcbin.model import load
from pcbin.neighbours import chamfer
from pcbin.sampling import COOL
from pcbin.search import distances
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

TOP = 100  # records that are re-ranked
SHOWN = 10
HAND = 30  # triples of held-out codes to make others of


def thin(clouds: NDArray[np.float32]) -> NDArray[np.float32]:
    order = np.random.default_rng(0).permutation(clouds.shape[1])[:POINTS]
    return clouds[:, order]


def score(ranking: NDArray[np.int64], relevant: NDArray[np.bool_]) -> tuple[float, float]:
    """Average precision of a ranking, and recall@10: the share found among the first ten of what ten could show."""
    hit = relevant[ranking]
    place = np.flatnonzero(hit) + 1
    return float((np.arange(1, len(place) + 1) / place).mean()), hit[:SHOWN].sum() / min(SHOWN, len(place))


def retrieval(
    codes: NDArray[np.uint8], far: NDArray[np.float64], exact: NDArray[np.float64], labels: list[str]
) -> None:
    """Each shape asks for the others of its label. `far`: CD from a query's points to the decodes; `exact`: to the
    other originals."""
    names = np.asarray(labels)
    scores: dict[str, list[tuple[float, float]]] = {}
    for i in range(len(codes)):
        relevant = names == names[i]
        relevant[i] = False
        if not relevant.any():
            continue
        others = np.flatnonzero(np.arange(len(codes)) != i)
        by_bits = others[np.argsort(distances(codes[others], codes[i]), kind="stable")]
        top = by_bits[:TOP]
        reranked = np.concatenate([top[np.argsort(far[i, top], kind="stable")], by_bits[TOP:]])
        by_shape = others[np.argsort(exact[i, others], kind="stable")]
        by_chance = np.random.default_rng(i).permutation(others)
        rankings = {"Hamming": by_bits, "re-ranked": reranked, "CD of originals": by_shape, "chance": by_chance}
        for name, ranking in rankings.items():
            scores.setdefault(name, []).append(score(ranking, relevant))
    rows = [[name, *(f"{mean:.3f}" for mean in np.mean(values, axis=0))] for name, values in scores.items()]
    print("\n".join(table([["order", "mAP", "recall@10"], *rows])))


def settled(codec: Codec, held: NDArray[np.uint8], real: NDArray[np.float32]) -> None:
    """Whether codes made by hand are better for being encoded anew, by the encoder alone and with the search: how far
    what they show moves, how far the encoder is from showing it again, and how good it is as a set."""
    a, b, c = np.split(held, 3)
    paths = [latent.interpolate(*ends, 4, codec.decode)[1:-1] for ends in zip(a[:10], b[:10], strict=True)]
    made = {
        "held-out codes": np.concatenate([a, b, c]),
        "A - B + C": np.concatenate([latent.arithmetic(*three) for three in ((a, b, c), (b, c, a), (c, a, b))]),
        "vary, a tenth": np.concatenate([Bits().vary(code, 3, 0.1, codec.decode, None, seed=0) for code in a]),
        "interpolate": np.concatenate(paths),
    }
    rows = [["codes", "anew by", "bits changed", "CD moved", "CD when encoded", "MMD-CD", "1-NN accuracy"]]
    for name, codes in made.items():
        shown = codec.decode(codes)
        for how, tried in {"": codes, "encoder": codec.settle(codes), "search": codec.encode(shown)}.items():
            shapes = codec.decode(tried)
            judged = quality(thin(shapes), thin(real[: len(shapes)]))
            changed = f"{np.bitwise_count(tried ^ codes).sum(axis=1).mean():.1f}"
            moved, again = chamfer(shown, shapes), codec.distortion(shapes, codec.settle(tried))
            measured = [cd(moved.mean()), cd(again.mean()), cd(judged.mmd), f"{judged.accuracy:.3f}"]
            rows.append([name, how, changed, *measured])
    print("\n".join(table(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pools", nargs="+")
    parser.add_argument("--model", default="shapes-128")
    parser.add_argument("--shapes", type=int, default=200, help="how many are generated, and judged by as many")
    options = parser.parse_args()
    codec = Codec(load(options.model))
    sources = load_pools(options.pools)

    def clouds(split: str) -> tuple[list[NDArray[np.float32]], list[list[str]]]:
        parts = [source.part(split) for source in sources]
        firsts = [halves(part.points)[0] for part in parts]
        return firsts, [[f"{part.name}/{label}" for label in part.labels] for part in parts]

    tests, labels = clouds("test")
    codes = [codec.encode(part) for part in tests]
    for source, part, code, label in zip(sources, tests, codes, labels, strict=True):
        if not 1 < len(set(label)) < len(label):
            continue  # nothing to tell apart, or to find again
        print(f"\nretrieval, {source.name}: {len(part)} held-out shapes, {len(set(label))} labels")
        originals = thin(part)
        retrieval(code, pairwise_chamfer(originals, thin(codec.decode(code))), pairwise_chamfer(originals), label)

    print("\nclusters of the held-out shapes' codes, k-means")
    rows = [["pool", "labels", "k", "purity", "NMI"]]
    for source, code, label in zip(sources, codes, labels, strict=True):
        if not 1 < len(set(label)) < len(label):
            continue
        for k in (10, len(set(label))):
            found = cluster.k_means(code, min(k, len(code)))
            agreement = f"{cluster.purity(found, label):.3f}", f"{cluster.nmi(found, label):.3f}"
            rows.append([source.name, str(len(set(label))), str(k), *agreement])
    print("\n".join(table(rows)))

    rng = np.random.default_rng(0)
    encoder = Codec(codec.model, effort=0)  # as models/fit_prior.py
    held, trained = np.concatenate(codes), np.concatenate([encoder.encode(part) for part in clouds("train")[0]])
    real = rng.permutation(np.concatenate(tests))[: options.shapes]
    print(f"\ngeneration, {len(real)} shapes by as many held out; priors fitted to {len(trained):,} training codes")
    fitted = prior.fit(trained)
    priors = {
        "Bernoulli(1/2)": prior.uniform(8 * codec.bytes),
        "per bit": prior.fit(trained, sizes=(1,)),
        f"mixture of {len(fitted.share):,}": fitted,
    }
    made = {name: codec.decode(p.sample(len(real))) for name, p in priors.items()}
    made[f"... at temperature {COOL}"] = codec.decode(fitted.sample(len(real), temperature=COOL))
    made["training shapes, decoded"] = codec.decode(rng.permutation(trained)[: len(real)])
    rows = [["prior", "bits of surprise, held out", "MMD-CD x 1e4", "coverage", "1-NN accuracy"]]
    for name, shapes in made.items():
        judged = quality(thin(shapes), thin(real))
        surprise = f"{priors[name].surprise(held):.1f}" if name in priors else ""
        rows.append([name, surprise, cd(judged.mmd), f"{judged.coverage:.3f}", f"{judged.accuracy:.3f}"])
    print("\n".join(table(rows)))

    print("\nencoded anew: codes of held-out shapes, and what is made of them (x 1e4)")
    order, count = rng.permutation(len(held)), 3 * min(HAND, len(held) // 6)
    settled(codec, held[order[:count]], np.concatenate(tests)[order[count:]])  # judged by others than it was made of

    print("\ninterpolation, 8 steps between 20 pairs of held-out shapes: deviation / mean of the steps' CD")
    pairs = rng.permutation(len(held))[:40].reshape(20, 2)
    spreads: dict[str, list[float]] = {}
    for a, b in held[pairs]:
        even = latent.interpolate(a, b, 8, codec.decode)
        anew = np.concatenate([even[:1], codec.settle(even[1:-1]), even[-1:]])
        paths = {"equal change": even, "... encoded anew": anew, "random order": latent.shuffled_path(a, b, 8)}
        for name, path in paths.items():
            spreads.setdefault(name, []).append(latent.spread(latent.step_sizes(codec.decode(path))))
    print("\n".join(table([["order", "spread"], *([name, f"{np.mean(s):.3f}"] for name, s in spreads.items())])))


if __name__ == "__main__":
    main()
