"""Processor time, peak memory and fresh processes. Wall clocks are of little use on a machine that others use too."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """Of the processor, in all threads of this process: the best of so many runs."""
    return min(_once(work) for _ in range(runs))


def _once(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return max(time.process_time() - begun, 1e-9)


def process(*command: str, runs: int = 3) -> float:
    """Seconds of the processor that a fresh process takes, user and system: the median of so many runs."""
    spent = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(spent)


def peak(*command: str) -> float:
    """Peak memory in MB of a fresh Python process that runs a module with arguments, as the system counts it."""
    code = (
        "import runpy, sys; name, *sys.argv[1:] = sys.argv[1:]; sys.argv[0] = name\n"
        "try:\n    runpy.run_module(name, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "with open('/proc/self/status') as status:\n"
        "    print(next(int(line.split()[1]) / 1024 for line in status if line.startswith('VmHWM')), file=sys.stderr)"
    )  # getrusage would count the parent's memory before the exec as well
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise RuntimeError(f"{json.dumps(command)}: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stderr.split()[-1])
