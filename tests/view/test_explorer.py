import numpy as np
import pytest

from pcbin import latent
from pcbin.errors import UsageError


def cloud(data):
    return np.frombuffer(data, "<f4").reshape(-1, 3)


def test_a_record_tells_its_code_name_and_facts(explorer, codes):
    assert explorer.record(7) == {"record": 7, "name": "chair/007", "code": codes[7].tobytes().hex(), "points": 107}
    assert explorer.listed([0, 5]) == ["lamp/000", "chair/005"]
    assert explorer.collection() == {"title": "toys.pcb", "count": 40, "bits": 128}


def test_shapes_come_as_floats_and_follow_their_bits(explorer, codes, decode):
    assert np.array_equal(cloud(explorer.shape(codes[3].tobytes().hex())), decode(codes[3:4])[0])
    assert np.array_equal(cloud(explorer.original(3)), decode(codes[3:4])[0] + np.float32(0.1))
    assert explorer.original(4) == b""


def test_the_nearest_of_a_record_is_itself(explorer, codes):
    near = explorer.near(codes[9].tobytes().hex(), 100)
    assert near[0] == {"record": 9, "bits": 0}
    assert len(near) == 40


def test_a_path_joins_two_codes(explorer, codes, decode):
    a, b = (codes[i].tobytes().hex() for i in (0, 1))
    path = explorer.path(a, b, 8)
    assert (path[0], path[-1], len(path)) == (a, b, 9)
    changes = latent.step_sizes(np.array([list(bytes.fromhex(c)) for c in path], np.uint8), decode)
    assert changes.max() < 2 * changes.min()


def test_find_ignores_case_and_clusters_hold_everyone_once(explorer):
    assert explorer.find("LAMP") == list(range(0, 40, 4))
    clusters = explorer.clusters(3)
    assert sorted(record for one in clusters for record in one["records"]) == list(range(40))
    assert [one["size"] for one in clusters] == [len(one["records"]) for one in clusters]


def test_a_thumbnail_is_a_small_picture(explorer):
    data = explorer.thumbnail(2)
    assert data.startswith(b"\x89PNG")
    assert explorer.thumbnail(3) != data


@pytest.mark.parametrize(
    "question",
    [
        lambda e: e.record(40),
        lambda e: e.record(-1),
        lambda e: e.listed([0, 99]),
        lambda e: e.shape("xyz"),
        lambda e: e.shape("00" * 15),
        lambda e: e.path("00" * 16, "11" * 16, 10**9),
        lambda e: e.clusters(0),
        lambda e: e.thumbnail(99),
    ],
)
def test_what_does_not_exist_is_refused(explorer, question):
    with pytest.raises(UsageError):
        question(explorer)
