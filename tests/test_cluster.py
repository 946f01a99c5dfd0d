import numpy as np
import pytest

from pcbin import bits, cluster
from pcbin.errors import ModelError, UsageError
from pcbin.model import load


def blobs(sizes, noise=0.05, seed=0):
    """Codes around one random code per size, and which each came from."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.random((len(sizes), 128)) < 0.5
    return bits.pack(centres[label] ^ (rng.random((len(label), 128)) < noise)), label


def test_k_means_finds_separate_groups():
    codes, label = blobs([50, 200, 100])
    found = cluster.k_means(codes, 3)
    assert cluster.purity(found, label.astype(str)) == 1
    assert cluster.nmi(found, label.astype(str)) == pytest.approx(1)


@pytest.mark.parametrize("block", [60, 1 << 15])
def test_by_size_puts_the_largest_cluster_and_each_ones_medoid_first(monkeypatch, block):
    monkeypatch.setattr(cluster, "BLOCK", block)
    codes, label = blobs([50, 200, 100], noise=0.2)
    clusters = cluster.by_size(codes, label + 7)
    assert [len(members) for members in clusters] == clusters.sizes == [200, 100, 50]
    assert [members[0] for members in clusters] == clusters.medoids
    assert clusters.assignment.itemsize == 1
    assert all((clusters.assignment[members] == number).all() for number, members in enumerate(clusters))
    for members in clusters:
        assert len(set(label[members])) == 1
        points = bits.unpack(codes[members]).astype(float)
        distance = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
        assert distance.argmin() == 0
        assert (np.diff(members[1:]) > 0).all()


def test_a_large_collection_is_assigned_whole_and_repeats_with_its_seed(monkeypatch):
    monkeypatch.setattr(cluster, "ENOUGH", 60)
    monkeypatch.setattr(cluster, "BLOCK", 70)
    codes, label = blobs([150, 100])
    found, again = cluster.k_means(codes, 2, seed=1), cluster.k_means(codes, 2, seed=1)
    assert cluster.purity(found, label.astype(str)) == 1
    assert np.array_equal(found, again)


@pytest.mark.parametrize("k", [0, 4])
def test_more_clusters_than_codes_are_refused(k):
    codes, _ = blobs([3, 2], noise=0)
    with pytest.raises(UsageError, match="2 different codes"):
        cluster.k_means(codes, k)


def test_every_code_its_own_cluster():
    codes, _ = blobs([6], noise=0.5)
    assert sorted(cluster.k_means(codes, 6)) == list(range(6))


def test_agreement_with_labels_by_hand():
    assignment = np.array([0, 0, 0, 1, 1, 1])
    labels = ["a", "a", "b", "b", "b", "b"]
    assert cluster.purity(assignment, labels) == pytest.approx(5 / 6)
    h_cluster, h_label = np.log(2), -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    joint = -(np.log(1 / 3) / 3 + np.log(1 / 6) / 6 + np.log(1 / 2) / 2)
    mutual = h_cluster + h_label - joint
    assert cluster.nmi(assignment, labels) == pytest.approx(2 * mutual / (h_cluster + h_label))
    assert cluster.nmi(assignment * 0, ["a"] * 6) == 1
    assert cluster.nmi(assignment, ["a"] * 6) == pytest.approx(0)
    with pytest.raises(UsageError):
        cluster.purity(assignment, labels[:3])


def test_a_mixture_model_says_its_classes_itself(tiny_model, make_model):
    model, mixture = load(tiny_model), load(make_model("gm", kind="mixture"))
    codes, _ = blobs([5])
    found = cluster.mixture_classes(mixture, len(codes), lambda part: model.decode_codes(codes[part.start : part.stop]))
    assert found.tolist() == mixture.raw(model.decode_codes(codes))[:, :3].argmax(axis=1).tolist()
    with pytest.raises(ModelError, match="no mixture"):
        cluster.mixture_classes(model, len(codes), lambda _: model.decode_codes(codes))
