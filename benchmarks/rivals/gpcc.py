"""MPEG's G-PCC through its test model, a program that is to be had as source alone: octree and trisoup."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.rivals import Cloud, Ladder
from benchmarks.rivals.grid import points
from pcbin import files
from pcbin.errors import UsageError

GRID = 10  # bits of the grid that trisoup's clouds are given on
COMMON = ("--disableAttributeCoding=1", "--mergeDuplicatedPoints=1", "--autoSeqBbox=1")


@dataclass(frozen=True)
class Gpcc:
    """`bits`: of the grid the points are on; `node`: the logarithm of trisoup's node, 0 for an octree without loss."""

    tmc3: Path
    bits: int
    node: int

    @property
    def setting(self) -> str:
        return f"nodes of 2^{self.node} on {self.bits} bits" if self.node else f"{self.bits} bits"

    def encode(self, cloud: Cloud) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            ply, coded = Path(folder, "in.ply"), Path(folder, "out.bin")
            files.write(ply, np.rint((np.clip(cloud, -1, 1) + 1) * (((1 << self.bits) - 1) / 2)).astype(np.float32))
            mode = ("--mode=0", *COMMON, f"--trisoupNodeSizeLog2={self.node}")
            self._run(*mode, f"--uncompressedDataPath={ply}", f"--compressedStreamPath={coded}")
            return coded.read_bytes()

    def decode(self, data: bytes) -> Cloud:
        with tempfile.TemporaryDirectory() as folder:
            coded, ply = Path(folder, "in.bin"), Path(folder, "out.ply")
            coded.write_bytes(data)
            self._run("--mode=1", f"--compressedStreamPath={coded}", f"--reconstructedDataPath={ply}")
            return points(next(files.read(ply)), self.bits)

    def _run(self, *options: str) -> None:
        done = subprocess.run([self.tmc3, *options], capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise UsageError(f"{self.tmc3} failed: {said[-1] if said else done.returncode}", remedy="give TMC13's tmc3")


def octree(tmc3: Path) -> Ladder:
    return [Gpcc(tmc3, bits, 0) for bits in range(2, 10)]


def trisoup(tmc3: Path) -> Ladder:
    return [Gpcc(tmc3, GRID, node) for node in range(7, 2, -1)]


LADDERS: dict[str, Callable[[Path], Ladder]] = {"G-PCC octree": octree, "G-PCC trisoup": trisoup}
