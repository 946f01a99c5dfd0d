"""A promise about distortion is kept, by the cheapest form, or told."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pcbin
from pcbin import files
from pcbin.cloud import Frame
from pcbin.errors import ModelError, UsageError
from pcbin.metrics import chamfer, noise_floor
from pcbin.pipeline import compress, decompress, describe
from pcbin.pipeline.promise import Promise, own_floor, parse


@pytest.mark.parametrize(
    ("given", "promise"),
    [
        ({"max_cd": "50"}, Promise(cd=0.005)),
        ({"max_cd": "2x"}, Promise(times=2)),
        ({"max_cd": " 1.5X "}, Promise(times=1.5)),
        ({"max_cd": 0.002}, Promise(cd=0.002)),
        ({"max_rms": "0.02"}, Promise(rms=0.02)),
        ({"max_rms": 3}, Promise(rms=3.0)),
        ({"max_rms": "5mm", "unit": "m"}, Promise(rms=0.005)),
        ({"max_rms": "1 in", "unit": "mm"}, Promise(rms=25.4)),
        ({"max_cd": "1e2", "max_rms": "0"}, Promise(cd=0.01, rms=0)),
        ({}, None),
    ],
)
def test_what_is_promised(given: dict[str, str | float], promise: Promise | None) -> None:
    found = parse(**given)  # type: ignore[arg-type]
    if promise is None:
        assert found is None
    else:
        assert found is not None
        assert (found.cd, found.times, found.rms) == pytest.approx((promise.cd, promise.times, promise.rms))


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"max_cd": "-1"}, "'-1' is no distance; write a CD as 50"),
        ({"max_cd": "nanx"}, "no distance"),
        ({"max_cd": "x"}, "no distance"),
        ({"max_cd": math.inf}, "no distance"),
        ({"max_rms": "5mm"}, "needs to know what the clouds are in; name their unit, such as m"),
        ({"max_rms": "5 furlongs", "unit": "m"}, "'furlongs' in '5 furlongs' is no unit"),
        ({"max_rms": "5mm", "unit": "yard"}, "'yard' is no unit"),
        ({"max_rms": "mm", "unit": "m"}, "no distance"),
        ({"unit": "m"}, "promises nothing"),
    ],
)
def test_what_is_no_promise(given: dict[str, str | float], cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        parse(**given)  # type: ignore[arg-type]


def test_a_floor_of_few_points_is_that_of_samples_as_large() -> None:
    points = np.random.default_rng(0).normal(size=(8192, 3))
    sphere = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    exact = noise_floor(sphere, 2048)
    for count in (4096, 3000, 2048):
        assert own_floor(sphere[:count], 2048) == pytest.approx(exact, rel=0.1)
    assert own_floor(sphere[:500], 2048) == pytest.approx(noise_floor(sphere, 500), rel=0.2)
    assert own_floor(sphere[:1], 2048) == 0


def test_the_least_of_several_limits() -> None:
    cloud = np.random.default_rng(0).random((100, 3)) * 10
    frame = Frame.of(cloud)
    unit = frame.to_unit(cloud)
    assert Promise(rms=0.1).limit(unit, frame, 2048) == pytest.approx(2 * (0.1 / frame.radius) ** 2)
    assert Promise(cd=1e-6, times=2).limit(unit, frame, 2048) == 1e-6
    assert Promise(rms=1, times=1).limit(unit, Frame(np.zeros(3), 0.0), 2048) == math.inf


def _within(collection: Path, packed: Path, out: Path, model: Path, limit: Callable[..., float]) -> int:
    """Check every decoded file against its source; returns how many there were."""
    decompress(packed, out, model=model, format="npy")
    clouds = {}
    for source in files.find([collection]):
        try:
            arrays = [np.asarray(array, np.float64) for array in files.read(source.path)]
        except pcbin.CloudError:
            continue
        for i, array in enumerate(arrays):
            clouds[f"{source.name}/{i:06d}" if len(arrays) > 1 else source.name] = array[np.isfinite(array).all(axis=1)]
    count = 0
    with pcbin.open(packed) as archive:
        for record in archive:
            cloud = clouds[str(record.name).removesuffix("~2")]
            frame = Frame.of(cloud)
            decoded = next(files.read(out / f"{record.name}.npy"))
            away = chamfer(frame.to_unit(cloud), frame.to_unit(decoded))
            allowed = limit(cloud, frame)
            assert away <= allowed * 1.001 + 1e-12, record.name
            assert record.distortion is not None
            assert record.distortion <= allowed * 1.01
            count += 1
    return count


@pytest.mark.parametrize("given", [{"max_cd": "2x"}, {"max_cd": "3"}, {"max_rms": "0.001"}, {"max_cd": 0.0}])
def test_every_promise_is_kept(collection: Path, tmp_path: Path, tiny_model: Path, given: dict[str, str]) -> None:
    """By a model of random weights no cloud is drawn, so points have to be stored."""
    summary = compress(collection, tmp_path / "out.pcb", model=tiny_model, **given)
    assert summary.broken == []
    promise = parse(**given)
    assert promise is not None
    limit = lambda cloud, frame: promise.limit(frame.to_unit(cloud), frame, 2048)  # noqa: E731
    assert _within(collection, tmp_path / "out.pcb", tmp_path / "out", tiny_model, limit) == 11
    forms = {form.name: form for form in summary.mix}
    assert sum(form.clouds for form in summary.mix) == 11
    assert ("points" in forms) == (given == {"max_cd": 0.0})
    assert ("cells" in forms) == (given != {"max_cd": 0.0})
    with pcbin.open(tmp_path / "out.pcb") as archive:
        assert {form.name: form.clouds for form in describe(archive).mix} == {f.name: f.clouds for f in summary.mix}


def test_a_promise_that_is_easily_kept_costs_nothing(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    plain = compress(collection, tmp_path / "plain.pcb", model=tiny_model)
    kept = compress(collection, tmp_path / "kept.pcb", model=tiny_model, max_cd=1e6)
    assert kept.bytes == plain.bytes
    assert [form.name for form in kept.mix] == ["16 bytes"]


def test_more_bytes_before_points(
    collection: Path, tmp_path: Path, grouped_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit between what one group and four reach."""
    monkeypatch.setattr("pcbin.pipeline.keep.HARDER", 0)
    cloud = collection / "b" / "two.xyz"
    plain = compress(cloud, tmp_path / "1.pcb", model=grouped_model, effort=1).distortion
    fine = compress(cloud, tmp_path / "4.pcb", model=grouped_model, effort=1, bits=512).distortion
    assert plain is not None
    assert fine is not None
    limit = (plain.mean + fine.mean) / 2
    summary = compress(cloud, tmp_path / "out.pcb", model=grouped_model, effort=1, max_cd=limit, codes_only=True)
    assert summary.broken == []
    with pcbin.open(tmp_path / "out.pcb") as archive:
        (record,) = archive
        assert record.more
        assert len(record.whole) == 16 + len(record.more)
        assert record.stored is None
        assert [form.name for form in summary.mix] == [f"{len(record.whole)} bytes"]


@pytest.mark.parametrize("bits", [256, 512])
def test_every_promise_is_kept_from_longer_codes_on(
    collection: Path, tmp_path: Path, grouped_model: Path, bits: int
) -> None:
    asked: dict[str, Any] = {"model": grouped_model, "effort": 1, "bits": bits}
    plain = compress(collection, tmp_path / "plain.pcb", **asked).distortion
    assert plain is not None
    most = 0.9 * plain.median
    summary = compress(collection, tmp_path / "out.pcb", max_cd=most, **asked)
    assert summary.broken == []
    assert _within(collection, tmp_path / "out.pcb", tmp_path / "out", grouped_model, lambda *_: most) == 11
    coded = compress(collection, tmp_path / "coded.pcb", max_cd=most, codes_only=True, **asked)
    assert coded.distortion is not None
    assert coded.distortion.mean < plain.mean
    assert max(form.bytes for form in coded.mix) == 64


def test_what_cannot_be_kept_by_codes_is_told(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    summary = compress(collection, tmp_path / "out.pcb", model=tiny_model, max_cd=1e-9, codes_only=True)
    assert len(summary.broken) == 10  # all but the point alone
    assert {broken.limit for broken in summary.broken} == {1e-9}
    assert all(broken.distortion > broken.limit for broken in summary.broken)
    assert not any(form.name in ("cells", "points") for form in summary.mix)
    assert len({broken.name for broken in summary.broken}) == 10


@pytest.mark.parametrize("options", [{"distortion": False, "max_cd": "2x"}, {"codes_only": True}])
def test_options_that_do_not_go_together(
    collection: Path, tmp_path: Path, tiny_model: Path, options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        compress(collection, tmp_path / "out.pcb", model=tiny_model, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out.pcb").exists()


def test_a_rate_that_the_model_lacks(collection: Path, tmp_path: Path, grouped_model: Path) -> None:
    with pytest.raises(ModelError, match="makes no codes of 300 bits; choose 128, 256, 384"):
        compress(collection, tmp_path / "out.pcb", model=grouped_model, bits=300)
    assert not (tmp_path / "out.pcb").exists()
