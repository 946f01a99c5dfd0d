"""Small files rebuilt from public reports about point cloud tools: each is read as people expect, or refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from pcbin import files
from pcbin.cloud import clean
from pcbin.errors import CloudError

CASES = Path(__file__).parent.parent / "data/cases"
EXPECTED = json.loads((CASES / "expected.json").read_text())


def test_every_file_is_expected_to_be_something():
    assert set(EXPECTED) == {path.name for path in CASES.iterdir()} - {"expected.json"}


@pytest.mark.parametrize("name", EXPECTED)
def test_case(name):
    expected, told = EXPECTED[name]["expected"], []
    if expected == "refuse":
        with pytest.raises(CloudError, match="looks transposed"):
            list(files.read(CASES / name, tell=told.append))
        return
    clouds = [clean(cloud) for cloud in files.read(CASES / name, tell=told.append)]
    points, dropped = clouds[0]
    if expected == "mesh":
        assert len(points) == 4096
        assert "points on the surface" in told[0]
    elif expected == "one":  # or many: what was taken is told
        assert "5 clouds of 10 points, not as one organised cloud" in told[0]
        options = files.Options(organised=True)
        assert [len(cloud) for cloud in files.read(CASES / name, options, told.append)] == [50]
    elif expected == "fields":
        array = np.load(CASES / name)
        np.testing.assert_array_equal(points, np.stack([array[axis] for axis in "xyz"], axis=1))
    else:
        np.testing.assert_array_equal(points, expected)
        assert dropped == ("dropped" in EXPECTED[name]["situation"])
