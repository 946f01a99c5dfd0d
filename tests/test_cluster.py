import numpy as np
import pytest

from pcbin import bits, cluster
from pcbin.errors import UsageError


def blobs(sizes, noise=0.05, seed=0):
    """Codes around one random code per size, and which each came from."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.random((len(sizes), 128)) < 0.5
    return bits.pack(centres[label] ^ (rng.random((len(label), 128)) < noise)), label


def test_k_means_finds_separate_groups_largest_first():
    codes, label = blobs([50, 200, 100])
    found = cluster.k_means(codes, 3)
    assert np.bincount(found.assignment).tolist() == [200, 100, 50]
    assert cluster.purity(found.assignment, label.astype(str)) == 1
    assert cluster.nmi(found.assignment, label.astype(str)) == pytest.approx(1)
    for k, medoid in enumerate(found.medoids):
        assert found.assignment[medoid] == k
        assert found.members(k)[0] == medoid
        assert sorted(found.members(k)) == np.flatnonzero(found.assignment == k).tolist()


def test_centres_are_the_means_of_their_members():
    codes, _ = blobs([40, 60], noise=0.3)
    found = cluster.k_means(codes, 2)
    for k in range(2):
        assert found.centres[k] == pytest.approx(
            bits.unpack(codes[found.assignment == k]).mean(axis=0), abs=1e-6
        )


def test_a_large_collection_is_assigned_whole_and_repeats_with_its_seed(monkeypatch):
    monkeypatch.setattr(cluster, "ENOUGH", 60)
    monkeypatch.setattr(cluster, "BLOCK", 70)
    codes, label = blobs([150, 100])
    found, again = cluster.k_means(codes, 2, seed=1), cluster.k_means(codes, 2, seed=1)
    assert cluster.purity(found.assignment, label.astype(str)) == 1
    assert np.array_equal(found.assignment, again.assignment)


@pytest.mark.parametrize("k", [0, 4])
def test_more_clusters_than_codes_are_refused(k):
    codes, _ = blobs([3, 2], noise=0)
    with pytest.raises(UsageError, match="2 different codes"):
        cluster.k_means(codes, k)


def test_every_code_its_own_cluster():
    codes, _ = blobs([6], noise=0.5)
    assert sorted(cluster.k_means(codes, 6).assignment) == list(range(6))


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


def test_a_mixture_model_says_its_class_itself():
    assert cluster.classes(np.array([[0.1, 2, -1], [5, 2, 7]])).tolist() == [1, 2]
