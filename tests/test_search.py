import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcbin import bits, search
from pcbin.errors import UsageError


def random_codes(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 16), np.uint8)


def naive(codes, query):
    return (bits.unpack(codes) != bits.unpack(query)).sum(axis=1)


def test_distances_count_differing_bits():
    codes = random_codes(100)
    assert search.distances(codes, codes[3]).tolist() == naive(codes, codes[3]).tolist()
    assert search.distances(codes, ~codes).tolist() == [128] * 100


@given(n=st.integers(1, 60), k=st.integers(1, 60), block=st.integers(1, 40), seed=st.integers(0, 5))
def test_search_is_a_stable_sort_by_distance(n, k, block, seed):
    codes = random_codes(n, seed) & 3  # few bits, many ties
    query = random_codes(1, seed + 10)[0] & 3
    k = min(k, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BLOCK", block)
        hits = search.search(codes, query, k)
    order = np.argsort(naive(codes, query), kind="stable")[:k]
    assert hits.indices.tolist() == order.tolist()
    assert hits.apart.tolist() == naive(codes, query)[order].tolist()


def test_search_reads_a_memory_mapped_misaligned_column(tmp_path):
    codes = random_codes(300)
    (tmp_path / "codes").write_bytes(b"odd" + codes.tobytes())
    mapped = np.memmap(tmp_path / "codes", np.uint8, "r", offset=3, shape=(300, 16))
    assert search.search(mapped, codes[7], 1).indices.tolist() == [7]


@pytest.mark.parametrize("k", [0, 11, -1])
def test_k_beyond_the_codes_is_refused(k):
    with pytest.raises(UsageError, match="choose k from 1 to 10"):
        search.search(random_codes(10), random_codes(1)[0], k)


def test_nothing_to_search_is_refused():
    with pytest.raises(UsageError, match="no codes"):
        search.search(random_codes(0), random_codes(1)[0], 1)


def test_many_queries_find_what_one_query_finds():
    pytest.importorskip("faiss")
    codes = random_codes(2000)
    for hits, query in zip(search.search_many(codes, codes[:9], 5), codes[:9], strict=True):
        assert hits.apart.tolist() == search.search(codes, query, 5).apart.tolist()
        assert hits.indices[0] == search.search(codes, query, 5).indices[0]


def test_rerank_orders_by_the_decoded_shapes():
    shapes = np.zeros((4, 5, 3), np.float32) + np.array([3.0, 1, 2, 0])[:, None, None]
    codes = random_codes(4)
    hits = search.search(codes, codes[0], 4)
    again = search.rerank(hits, np.zeros((2, 3)), shapes[hits.indices])
    assert again.indices.tolist() == [3, 1, 2, 0]
    assert again.chamfer == pytest.approx([0, 6, 24, 54])  # 3 axes, two directions
    assert again.apart.tolist() == naive(codes, codes[0])[again.indices].tolist()


def chained(codes, within):
    """Groups by brute force: connected components of the graph of close pairs."""
    left, found = set(range(len(codes))), []
    while left:
        todo = [left.pop()]
        group = set(todo)
        while todo:
            near = {j for j in left if naive(codes[[j]], codes[todo[-1]])[0] <= within}
            todo.pop()
            left -= near
            group |= near
            todo += near
        found.append(sorted(group))
    return sorted((g for g in found if len(g) > 1), key=lambda g: (-len(g), g[0]))


@given(n=st.integers(0, 40), within=st.integers(0, 5), seed=st.integers(0, 5))
def test_groups_are_the_chains_of_close_codes(n, within, seed):
    codes = random_codes(n, seed)
    codes[:, 1:] &= 1 if seed % 2 else 0
    codes[:, 0] &= 0x1F
    assert [g.tolist() for g in search.groups(codes, within)] == chained(codes, within)


def test_groups_refuse_a_radius_without_parts():
    with pytest.raises(UsageError, match="within 16 bits"):
        search.groups(random_codes(3), 16)


@pytest.mark.parametrize("width", [1, 3, 8, 16, 32, 33, 128])
@pytest.mark.parametrize("share", [5, 1 << 16])
def test_any_width_of_code(monkeypatch, width, share):
    monkeypatch.setattr(search, "SHARE", share)
    codes = np.random.default_rng(0).integers(0, 256, (40, width), np.uint8)
    codes[20:] = codes[:20]
    codes[20:, -1] ^= 1
    for within in {0, 1, min(5, width - 1)} & set(range(width)):
        assert [g.tolist() for g in search.groups(codes, within)] == chained(codes, within)
    assert search.search(codes, codes[3], 40).apart[-1] == search.distances(codes, codes[3]).max()


@pytest.mark.parametrize("size", [256, 512, 1 << 16])
def test_the_complement_is_as_far_as_can_be(size):
    codes = np.zeros((2, size // 8), np.uint8)
    codes[1] = 255
    assert search.search(codes, codes[0], 2).apart.tolist() == [0, size]


@pytest.mark.parametrize("rows", [4, 1024])
def test_groups_of_vectors_are_the_chains_of_near_ones(monkeypatch, rows):
    monkeypatch.setattr(search, "ROWS", rows)
    codes = np.random.default_rng(0).integers(0, 256, (40, 8), np.uint8)
    codes[30:33] = codes[:3]

    def vectors(some):
        return some.astype(np.float32) / 16

    away = np.linalg.norm(vectors(codes)[:, None] - vectors(codes), axis=-1)
    for within in (0, np.sort(away[np.triu_indices(40, 1)])[20], 100):
        reach = away <= within
        for _ in range(6):  # 64 steps
            reach = (reach.astype(int) @ reach) > 0
        chains = {tuple(np.flatnonzero(row).tolist()) for row in reach if row.sum() > 1}
        assert {tuple(group.tolist()) for group in search.vector_groups(vectors, codes, within)} == chains
    assert search.vector_groups(vectors, codes[:30], 100, lambda a, b: np.zeros(len(a), bool)) == []
    with pytest.raises(UsageError, match="a distance of nan"):
        search.vector_groups(vectors, codes, np.nan)


def test_the_last_word_on_a_pair():
    codes = np.zeros((4, 16), np.uint8)
    codes[1:, 0] = 1, 3, 7
    chain = search.groups(codes, 1)
    assert [g.tolist() for g in chain] == [[0, 1, 2, 3]]
    cut = search.groups(codes, 1, lambda a, b: codes[np.maximum(a, b), 0] != 3)
    assert [g.tolist() for g in cut] == [[0, 1], [2, 3]]
    assert search.groups(codes, 1, lambda a, b: np.zeros(len(a), bool)) == []
