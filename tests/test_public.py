"""The public face: exactly these names, each at its place, and no more loaded than is used."""

import subprocess
import sys

import pcbin

NAMES = {
    "Archive", "Code", "Codec", "Collection", "Frame", "Model", "Record", "Recoded", "Restored", "Shapes", "Summary",
    "append", "compress", "decode", "decompress", "encode", "load_model", "open", "recode",
    "CloudError", "ExtraError", "FormatError", "ModelError", "OutputError", "PartialError", "PcbinError",
    "RecordError", "TrainingError", "UsageError",
}  # fmt: skip


def test_the_list() -> None:
    assert set(pcbin.__all__) == NAMES
    assert set(dir(pcbin)) >= NAMES
    for name in NAMES:
        assert getattr(pcbin, name).__module__.startswith("pcbin.")
    assert not hasattr(pcbin, "nonsense")


def test_errors_are_one_family() -> None:
    errors = [name for name in NAMES if name.endswith("Error")]
    assert all(issubclass(getattr(pcbin, name), pcbin.PcbinError) for name in errors)


def test_names_are_loaded_when_used() -> None:
    code = "import sys, pcbin; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_version_is_said_once() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        assert version("pcbin") == pcbin.__version__
    except PackageNotFoundError:
        assert pcbin.__version__.count(".") == 2
