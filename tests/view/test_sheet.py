"""Contact sheets: clouds where they belong, and a PNG that another reader reads."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="needs pcbin[plot]")
from PIL import Image

from pcbin.errors import OutputError
from pcbin.view.sheet import draw, fold, letters, sheet, width, write_png

RNG = np.random.default_rng(0)
CLOUD = np.clip(RNG.normal(size=(500, 3)) / 4, -0.5, 0.5)


def _dark(image: np.ndarray) -> np.ndarray:
    return np.argwhere(image.mean(axis=2) < 250)


def test_a_point_is_drawn_where_it_is() -> None:
    centre = _dark(draw(np.zeros((1, 3)))).mean(axis=0)
    np.testing.assert_allclose(centre, [79.5, 79.5], atol=1)
    up = _dark(draw(np.array([[0.0, 0.0, 0.9]]))).mean(axis=0)
    assert up[0] < centre[0] - 40
    assert up[1] == pytest.approx(centre[1], abs=1)


def test_near_points_hide_far_ones() -> None:
    towards = np.array([[0.5, -0.7, 0.35]])
    both = draw(np.concatenate([towards, -towards]))
    turned = draw(np.concatenate([-towards, towards]))
    np.testing.assert_array_equal(both, turned)


def test_a_cloud_is_drawn_in_its_colour() -> None:
    plain, red = draw(CLOUD), draw(CLOUD, tint=(200, 30, 30))
    assert (_dark(plain) == _dark(red)).all()
    assert plain[..., 2].mean() > plain[..., 0].mean()
    assert red[..., 0].mean() > red[..., 2].mean() + 10
    both = sheet([[CLOUD, CLOUD]], tints=[[None, (200, 30, 30)]])
    np.testing.assert_array_equal(both, np.concatenate([plain, red], axis=1))
    assert _dark(draw(CLOUD, tint=np.array([255, 255, 255], np.uint8))).size


def test_points_outside_the_sphere_are_cut_off() -> None:
    assert not len(_dark(draw(np.array([[0.0, 0.0, 5.0], [0.0, 0.0, -5.0]]))))


def test_rows_and_columns() -> None:
    cloud = RNG.normal(size=(500, 3)) / 4
    image = sheet([[cloud, None, cloud], [np.empty((0, 3)), cloud]], size=50)
    assert image.shape == (100, 150, 3)
    filled = [[bool(len(_dark(image[y : y + 50, x : x + 50]))) for x in (0, 50, 100)] for y in (0, 50)]
    assert filled == [[True, False, True], [False, True, False]]


def test_words_stand_before_rows_and_under_clouds() -> None:
    plain = sheet([[CLOUD, CLOUD], [CLOUD]], size=100)
    image = sheet([[CLOUD, CLOUD], [CLOUD]], size=100, heads=["first", ""], captions=[["a name", ""], ["another"]])
    line = letters().height
    left = image.shape[1] - 200
    assert 20 < left < 100
    assert len(image) == 2 * (100 + line + 4)
    np.testing.assert_array_equal(image[:100, left:], plain[:100])  # the clouds are as without
    assert len(_dark(image[:100, :left]))
    assert len(_dark(image[100 : 104 + line, left : left + 100]))
    assert not len(_dark(image[100 : 104 + line, left + 100 :]))
    assert not len(_dark(image[104 + line :, :left]))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("a long name/with parts", ["a long name/", "with parts"]),
        ("two\nlines", ["two", "lines"]),
        ("part-of/" * 8 + "end", ["part-of/part-", "…", "of/end"]),
    ],
)
def test_long_words_are_broken_where_they_may_be_and_keep_both_ends(text: str, lines: list[str]) -> None:
    folded = fold(text, 80, 3)
    assert folded == lines
    assert all(width(line) <= 80 for line in folded)


def test_every_letter_has_ink_and_unknown_ones_are_told() -> None:
    for letter in map(chr, range(33, 127)):
        assert letters().line(letter).max() > 0.3, letter
    np.testing.assert_array_equal(letters().line("椅"), letters().line("?"))


def test_png(tmp_path: Path) -> None:
    image = RNG.integers(0, 256, (7, 11, 3), np.uint8)
    write_png(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as read:
        np.testing.assert_array_equal(np.asarray(read), image)
    with pytest.raises(OutputError, match="exists"):
        write_png(tmp_path / "a.png", image)
