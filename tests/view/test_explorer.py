import json

import numpy as np
import pytest

from pcbin.errors import PcbinError


def cloud(data):
    return np.frombuffer(data, "<f4").reshape(-1, 3)


def test_a_record_tells_its_code_name_facts_and_place(explorer, codes, collection):
    told = explorer.record(8)
    assert {key: told[key] for key in ("record", "name", "code", "meta")} == {
        "record": 8, "name": "lamp/008", "code": codes[8].tobytes().hex(), "meta": {},
    }  # fmt: skip
    assert (told["colour"], explorer.record(7)["colour"]) == ([200, 30, 30], None)
    assert (told["points"], told["distortion"]) == (108, pytest.approx(16e-4, rel=0.01))
    assert told["frame"]["radius"] == pytest.approx(2)
    assert told["frame"]["centre"] == pytest.approx(collection.archive[8].frame.centre)
    assert explorer.about() == {
        "title": "toys.pcb", "count": 40, "parts": 2, "code": "bits", "size": 128, "groups": 1,
        "bytes": 16, "points": 2048,
    }  # fmt: skip


def test_metadata_does_not_stand_in_for_what_the_archive_knows(explorer, codes):
    told = explorer.record(7)
    assert (told["record"], told["name"], told["code"]) == (7, "chair/007", codes[7].tobytes().hex())
    assert told["meta"]["name"] == "not the name"


def test_an_unknown_distortion_is_no_number_that_json_lacks(explorer):
    assert np.isnan(np.frombuffer(explorer.distortion(), "<f4")[5])
    assert explorer.record(5)["distortion"] is None
    json.loads(json.dumps(explorer.record(5)), parse_constant=pytest.fail)


def test_parts_hold_every_record_once(explorer, collection, codes):
    parts = [explorer.part(number) for number in range(2)]
    assert [name for part in parts for name in part["names"]] == list(collection.names())
    assert len(parts[0]["names"]) == 20
    distortion = np.frombuffer(explorer.distortion(), "<f4")
    assert (len(distortion), distortion[26]) == (40, pytest.approx(22e-4, rel=0.01))
    assert parts[0]["meta"][1] == {"size": "small"}
    assert parts[0]["colours"][7:9] == [None, [200, 30, 30]]
    assert parts[1]["colours"] is None
    assert bytes(explorer.codes()) == codes.tobytes()


def test_shapes_come_as_floats_and_follow_their_bits(explorer, codes, decode, original):
    assert np.array_equal(cloud(explorer.decode([codes[3].tobytes().hex()])), decode(codes[3:4])[0])
    assert np.array_equal(cloud(explorer.shapes([3, 5])), decode(codes[[3, 5]]).reshape(-1, 3))
    assert np.array_equal(cloud(explorer.original(3)), original)
    assert explorer.original(4) == b""


def test_names_and_numbers_are_found(explorer):
    assert explorer.find("chair/007") == 7
    assert explorer.find("12") == 12


@pytest.mark.parametrize(
    "question",
    [
        lambda e: e.record(40),
        lambda e: e.record(-1),
        lambda e: e.part(2),
        lambda e: e.part(-1),
        lambda e: e.shapes([0, 99]),
        lambda e: e.shapes([0] * 65),
        lambda e: e.decode(["00" * 16] * 65),
        lambda e: e.decode(["xyz"]),
        lambda e: e.decode(["00" * 15]),
        lambda e: e.original(99),
        lambda e: e.find("nobody"),
    ],
)
def test_what_does_not_exist_or_is_too_much_is_refused(explorer, question):
    with pytest.raises(PcbinError):
        question(explorer)
