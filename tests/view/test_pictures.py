import sys

import numpy as np
import pytest

from pcbin.errors import ExtraError, OutputError, UsageError
from pcbin.model import latent_of
from pcbin.view import pictures

pytest.importorskip("matplotlib", reason="needs pcbin[plot]")


@pytest.mark.parametrize(("kind", "words"), [("beta", b"Beta(0.01, 0.01)"), ("normal", b"N(0, 1)"), ("plain", None)])
def test_a_histogram_names_its_prior(tmp_path, monkeypatch, kind, words):
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    latents = np.random.default_rng(0).beta(0.1, 0.1, (50, 128))
    pictures.histogram(tmp_path / "h.svg", latents, latent_of(kind, 128))
    drawn = (tmp_path / "h.svg").read_bytes()
    assert b"50 clouds" in drawn
    assert words is None or words in drawn


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_map_keeps_separate_groups_apart(method):
    if method == "tsne":
        pytest.importorskip("sklearn", reason="needs pcbin[plot]")
    rng = np.random.default_rng(0)
    centre = rng.random((2, 128)) < 0.5
    vectors = centre[np.repeat([0, 1], 20)] ^ (rng.random((40, 128)) < 0.05)
    a, b = np.split(pictures.embed(vectors, method), 2)
    assert np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) > 2 * max(a.std(), b.std())


def test_pictures_have_no_other_formats_and_replace_nothing_unasked(tmp_path):
    (tmp_path / "there.png").write_bytes(b"")
    with pytest.raises(UsageError, match="jpg"):
        pictures.rate_distortion(tmp_path / "p.jpg", {"a": [(1, 1)]})
    with pytest.raises(OutputError, match="exists"):
        pictures.rate_distortion(tmp_path / "there.png", {"a": [(1, 1)]})


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraError, match=r"pcbin\[plot\]"):
        pictures.scatter(tmp_path / "p.png", np.zeros((3, 2)), list("abc"))
