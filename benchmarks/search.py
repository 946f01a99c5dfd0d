"""How fast codes are searched: one query, many queries, and groups of near-identical codes.

python benchmarks/search.py [--records 1000000]
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pcbin.search import groups, search, search_many


def milliseconds(work: Callable[[int], Any], times: int) -> np.ndarray:
    spent = np.empty(times)
    for i in range(times):
        start = time.perf_counter()
        work(i)
        spent[i] = 1e3 * (time.perf_counter() - start)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (records, 16), np.uint8)
    queries = rng.integers(0, 256, (200, 16), np.uint8)

    for k in (1, 10, 100):
        spent = milliseconds(lambda i, k=k: search(codes, queries[i], k), len(queries))
        median, late = np.percentile(spent, (50, 99))
        print(f"search {records:,} codes for the {k:3} nearest: median {median:.2f} ms, 99 % within {late:.2f} ms")
    batch = milliseconds(lambda i: search_many(codes, queries, 10), 1)[0]
    how = "faiss" if importlib.util.find_spec("faiss") else "NumPy"
    print(f"search_many, {len(queries)} queries at once ({how}): {batch / len(queries):.2f} ms per query")

    codes[::1000] = codes[1::1000]
    codes[::1000, 3] ^= 1
    for within in (0, 1, 3):
        spent = milliseconds(lambda i, within=within: groups(codes, within), 1)[0]
        print(f"groups within {within} bits: {spent / 1e3:.2f} s")


if __name__ == "__main__":
    main()
