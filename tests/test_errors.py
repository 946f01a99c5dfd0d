"""Every error has its exit code and reads as one line: where, what, and what to do."""

import re

import pytest

from pcbin import errors

DEFINED = [value for value in vars(errors).values() if isinstance(value, type)]
WARNINGS = [cls for cls in DEFINED if issubclass(cls, Warning)]
CLASSES = [cls for cls in DEFINED if cls not in WARNINGS]


def test_every_class_has_an_exit_code_of_its_own():
    codes = [cls.exit_code for cls in CLASSES] + [errors.INTERRUPTED]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 256 for code in codes)


def test_the_tree_drawn_in_the_module_is_the_tree():
    drawn = dict(re.findall(r"(\w+Error) +(\d+) ", errors.__doc__))
    assert drawn == {cls.__name__: str(cls.exit_code) for cls in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_one_except_catches_all(cls):
    assert issubclass(cls, errors.PcbinError)


def test_warnings_are_shown_unless_told_otherwise_and_are_no_errors():
    assert [cls.__name__ for cls in WARNINGS] == ["CloudWarning", "DamageWarning"]
    assert all(issubclass(cls, UserWarning) and not issubclass(cls, errors.PcbinError) for cls in WARNINGS)


def test_an_error_reads_as_one_line():
    error = errors.CloudError("holds\nno points", path="a.ply", remedy="remove the file")
    assert str(error) == "a.ply: holds no points; remove the file"
    assert str(errors.CloudError("holds no points")) == "holds no points"


def test_a_missing_record_is_a_key_error_and_still_reads_well():
    with pytest.raises(KeyError, match="no record 'x'"):
        raise errors.RecordError("holds no record 'x'", path="a.pcb")
    assert str(errors.RecordError("holds no record 'x'", path="a.pcb")) == "a.pcb: holds no record 'x'"


def test_a_missing_extra_says_how_to_get_it():
    assert "pip install 'pcbin[eval]'" in str(errors.ExtraError.of("eval", "scipy"))
