"""The fuzzing scripts find nothing in what they make in a few seconds, always the same; by hand they run on."""

from __future__ import annotations

import itertools
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

import pytest
from fuzz import fuzz_archive, fuzz_models, harness

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")


@pytest.mark.parametrize(("script", "count"), [(fuzz_archive, 120), (fuzz_models, 400)])
def test_nothing_is_found(script: ModuleType, count: int) -> None:
    todo = itertools.islice(script.inputs(set(), 0), count)
    child = os.fork()
    if not child:  # a process whose memory may be limited
        finds = 1
        try:
            finds = harness.run(todo, script.use, seconds=600, addresses=script.ADDRESSES)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(finds > 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
