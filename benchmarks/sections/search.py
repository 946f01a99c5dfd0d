"""Search among a million codes beside faiss, and what codes find beside floats and signs of principal components."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clock import seconds
from benchmarks.clouds import Run, chairs
from benchmarks.codes import score
from benchmarks.page import number, table
from benchmarks.rivals.latents import PcaSigns, training_latents
from pcbin.codec import Codec, latents
from pcbin.effort import DEFAULT_EFFORT
from pcbin.model import Model, load
from pcbin.search import distances, groups, search, search_many
from pcbin.train.pools import Pool
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

TITLE = "Search"
CODES = 1_000_000
QUERIES = 1_000
K = 10
FITTED = 2_048  # latents that principal components are fitted to
JUDGED = 300  # test clouds of a pool, at most
Orders = dict[str, Callable[[int], NDArray[np.floating]]]


def measure(run: Run) -> dict[str, Any]:
    return {"speed": speed(20_000 if run.quick else CODES, 10 if run.quick else QUERIES), "retrieval": retrieval(run)}


def speed(count: int, asked: int) -> dict[str, Any]:
    """Milliseconds of processor time per query."""
    rng = np.random.default_rng(0)
    codes, queries = (rng.integers(0, 256, (n, 16), np.uint8) for n in (count, asked))
    found: dict[str, Any] = {
        "codes": count,
        "queries": asked,
        "one query": 1e3 * seconds(lambda: search(codes, queries[0], K), 5),
        "many queries": 1e3 * seconds(lambda: search_many(codes, queries, K), 1) / asked,
    }
    near = codes.copy()
    near[::1000] = near[1::1000]
    near[::1000, 3] ^= 1
    found["near-identical groups within 1 bit, all codes"] = 1e3 * seconds(lambda: groups(near, 1), 1)
    if importlib.util.find_spec("faiss"):
        import faiss

        index = faiss.IndexBinaryFlat(8 * codes.shape[1])
        index.add(codes)
        found["one query, faiss"] = 1e3 * seconds(lambda: index.search(queries[:1], K), 5)
        found["many queries, faiss"] = 1e3 * seconds(lambda: index.search(queries, K), 1) / asked
    return found


def retrieval(run: Run) -> dict[str, Any]:
    """Each shape asks for the others of its label: mean average precision and recall among the first ten."""
    tested, trained = chairs(run)
    tested = by_factory(tested, run)
    family = run.family
    found = {
        "chairs": judge(
            tested,
            bits=load(family / "vae-beta.safetensors"),
            floats=load(family / "ae.safetensors"),
            training=trained,
            quick=run.quick,
        )
    }
    if not run.quick:
        model = load(run.model)
        for pool in load_pools(run.pools):
            part = pool.part("test").slice(0, JUDGED)
            if 1 < len(set(part.labels.tolist())) < len(part) / 2:
                found[pool.name] = judge(part, bits=model, floats=model, training=pool.part("train"), quick=False)
    return found


def by_factory(pool: Pool, run: Run) -> Pool:
    """The samples have no labels: two of their chairs are of one kind, two of another."""
    if not run.quick:
        return pool
    return Pool(pool.name, pool.points, pool.names, np.array(["a", "b"] * len(pool))[: len(pool)])


def judge(part: Pool, bits: Model, floats: Model, training: Pool, quick: bool) -> dict[str, Any]:
    clouds = halves(part.points)[0]
    codes = Codec(bits, 0 if quick else DEFAULT_EFFORT).encode(clouds)
    numbers = latents(floats, clouds)
    signs = PcaSigns.fit(training_latents(floats, training, 256 if quick else FITTED)).encode(numbers)
    orders: Orders = {
        f"codes of {bits.name}, 16 bytes": lambda i: distances(codes, codes[i]),
        f"floats of {floats.name}, 512 bytes": lambda i: np.square(numbers - numbers[i]).sum(axis=1),
        f"signs of {floats.name}'s principal components, 16 bytes": lambda i: distances(signs, signs[i]),
    }
    return {
        "clouds": len(part),
        "labels": len(set(part.labels.tolist())),
        "orders": {name: means(away, part.labels) for name, away in orders.items()},
    }


def means(away: Callable[[int], NDArray[np.floating]], labels: NDArray[np.str_]) -> dict[str, float]:
    scores = []
    for i in range(len(labels)):
        relevant = labels == labels[i]
        relevant[i] = False
        if relevant.any():
            ranking = np.argsort(away(i), kind="stable")
            scores.append(score(ranking[ranking != i], relevant))
    precision, recall = np.mean(scores, axis=0)
    return {"mAP": round(float(precision), 4), "recall@10": round(float(recall), 4)}


def page(results: dict[str, Any]) -> str:
    spent = results["speed"]
    rows = []
    for name in ("one query", "many queries"):
        other = spent.get(f"{name}, faiss")
        ratio = "-" if other is None else f"{spent[name] / other:.2f}"
        rows.append([name, number(spent[name]), number(other), ratio])
    groups_of = spent["near-identical groups within 1 bit, all codes"]
    parts = [
        f"The {K} nearest of {spent['codes']:,} codes, milliseconds of the processor per query, one thread; many are "
        f"{spent['queries']:,} at once, which pcbin gives to faiss where it is installed:",
        table(["", "pcbin", "faiss", "pcbin / faiss"], rows),
        f"Groups of codes within one bit among all {spent['codes']:,}: {groups_of / 1e3:.1f} s.",
        "What is found: each test shape asks for the others of its label. Codes by Hamming distance, floats by "
        "Euclidean; "
        "of chairs the family's models, else the default model's bits beside its own latents before rounding.",
        table(
            ["", "shapes", "labels", "by", "mAP", "recall@10"],
            [
                [name, row["clouds"], row["labels"], order, f"{found['mAP']:.3f}", f"{found['recall@10']:.3f}"]
                for name, row in results["retrieval"].items()
                for order, found in row["orders"].items()
            ],
        ),
    ]
    return "\n\n".join(parts)
