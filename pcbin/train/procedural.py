"""An endless, seeded source of shapes: assemblies of primitives, mirrored and repeated as furniture, vessels,
vehicles and free compositions are. `shape(seed, index)` depends on its two numbers alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcbin.cloud import Frame
from pcbin.train.config import HELD

Points = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Part:
    """A surface to sample: its area and `draw(rng, n)`, n points (n, 3) uniform by area, or nearly so."""

    area: float
    draw: Callable[[Rng, int], Points]

    def moved(self, offset: tuple[float, float, float] | Points) -> Part:
        return Part(self.area, lambda rng, n: self.draw(rng, n) + np.asarray(offset))

    def mirrored(self, axis: int) -> Part:
        sign = np.ones(3)
        sign[axis] = -1
        return Part(self.area, lambda rng, n: self.draw(rng, n) * sign)

    def turned(self, axis: int, angle: float) -> Part:
        cos, sin = np.cos(angle), np.sin(angle)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = cos
        turn[first, second], turn[second, first] = -sin, sin
        return Part(self.area, lambda rng, n: self.draw(rng, n) @ turn.T)


def box(x: float, y: float, z: float) -> Part:
    """A box of edge lengths x, y, z about the origin."""
    size = np.array([x, y, z])
    faces = np.array([y * z, x * z, x * y])

    def draw(rng: Rng, n: int) -> Points:
        points = rng.random((n, 3)) - 0.5
        axis = rng.choice(3, n, p=faces / faces.sum())
        points[np.arange(n), axis] = rng.choice([-0.5, 0.5], n)
        return np.asarray(points * size)

    return Part(2 * float(faces.sum()), draw)


def ellipsoid(x: float, y: float, z: float) -> Part:
    """An ellipsoid of half axes x, y, z; its area by Thomsen's formula, p = 1.6075."""
    size = np.array([x, y, z])
    p = 1.6075
    area = 4 * np.pi * (((x * y) ** p + (x * z) ** p + (y * z) ** p) / 3) ** (1 / p)

    def draw(rng: Rng, n: int) -> Points:
        direction = rng.standard_normal((n, 3))
        return np.asarray(direction / np.linalg.norm(direction, axis=1, keepdims=True) * size)

    return Part(float(area), draw)


def lathe(radii: Points, heights: Points) -> Part:
    """A profile of (radius, height) corners turned about the vertical."""
    lengths = np.hypot(np.diff(radii), np.diff(heights))
    areas = np.pi * (radii[1:] + radii[:-1]) * lengths + 1e-12

    def draw(rng: Rng, n: int) -> Points:
        piece = rng.choice(len(areas), n, p=areas / areas.sum())
        a, b = radii[piece], radii[piece + 1]
        mixed = rng.random(n)
        with np.errstate(invalid="ignore", divide="ignore"):
            along = np.where(np.abs(b - a) > 1e-9, (np.sqrt(a**2 + mixed * (b**2 - a**2)) - a) / (b - a), mixed)
        radius = a + along * (b - a)
        height = heights[piece] + along * (heights[piece + 1] - heights[piece])
        angle = rng.uniform(0, 2 * np.pi, n)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1)

    return Part(float(areas.sum()), draw)


def cylinder(radius: float, height: float, top: float = 1.0) -> Part:
    """A closed upright cylinder about the origin; `top` is the upper radius over the lower."""
    upper = radius * top
    return lathe(np.array([0, radius, upper, 0]), np.array([-1, -1, 1, 1]) * height / 2)


def torus(radius: float, tube: float, arc: float = 2 * np.pi) -> Part:
    """A ring, or an arc of one, lying flat."""

    def draw(rng: Rng, n: int) -> Points:
        angle, around = rng.uniform(0, arc, n), rng.uniform(0, 2 * np.pi, n)
        distance = radius + tube * np.cos(around)
        return np.stack([distance * np.cos(angle), distance * np.sin(angle), tube * np.sin(around)], 1)

    return Part(arc * radius * 2 * np.pi * tube, draw)


def sweep(path: Points, radius: float) -> Part:
    """A round bar along a path of corners (k, 3)."""
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1) + 1e-9
    along = steps / lengths[:, None]
    helper = np.where(np.abs(along[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(along, side)

    def draw(rng: Rng, n: int) -> Points:
        piece = rng.choice(len(steps), n, p=lengths / lengths.sum())
        angle = rng.uniform(0, 2 * np.pi, (n, 1))
        rim = radius * (np.cos(angle) * side[piece] + np.sin(angle) * up[piece])
        return np.asarray(path[piece] + rng.random((n, 1)) * steps[piece] + rim)

    return Part(float(2 * np.pi * radius * lengths.sum()), draw)


def _bar(rng: Rng, start: Points, end: Points, thickness: float) -> Part:
    """A leg or rail: square where it stands upright and the coin says so, else round."""
    if np.allclose(start[:2], end[:2]) and rng.random() < 0.5:
        return box(2 * thickness, 2 * thickness, abs(end[2] - start[2])).moved((start + end) / 2)
    return sweep(np.stack([start, end]), thickness)


def _four(part_at: Callable[[float, float], Part]) -> list[Part]:
    return [part_at(x, y) for x in (-1, 1) for y in (-1, 1)]


def _legs(rng: Rng, x: float, y: float, top: float) -> list[Part]:
    """Four legs, a pedestal, two panels, or a frame below a board of x by y at height `top`."""
    style = rng.choice(["legs", "splayed", "pedestal", "panels", "star"], p=[0.4, 0.2, 0.15, 0.15, 0.1])
    thick = rng.uniform(0.01, 0.05)
    if style == "pedestal":
        base = rng.uniform(0.3, 0.9) * min(x, y) / 2
        foot = cylinder(base, rng.uniform(0.02, 0.08)).moved((0, 0, 0.03))
        return [foot, cylinder(thick * 1.5, top, rng.uniform(0.5, 1.5)).moved((0, 0, top / 2))]
    if style == "star":
        reach, count = rng.uniform(0.5, 0.9) * min(x, y) / 2 + 0.1, int(rng.integers(3, 6))
        hub = np.array([0, 0, rng.uniform(0.08, 0.2)])
        arms = [
            sweep(np.stack([hub, [reach * np.cos(a), reach * np.sin(a), 0.0]]), thick)
            for a in np.arange(count) * 2 * np.pi / count
        ]
        return [*arms, cylinder(thick * 1.3, top - hub[2]).moved((0, 0, (top + hub[2]) / 2))]
    if style == "panels":
        panel = box(thick, y * rng.uniform(0.7, 1), top).moved((x / 2 - thick, 0, top / 2))
        return [panel, panel.mirrored(0)]
    spread = rng.uniform(1.0, 1.25) if style == "splayed" else 1.0
    inset = rng.uniform(0.75, 0.97)

    def leg(sx: float, sy: float) -> Part:
        corner = np.array([sx * x / 2 * inset, sy * y / 2 * inset, 0.0])
        return _bar(np.random.default_rng(seed), corner * [spread, spread, 1], corner + np.array([0, 0, top]), thick)

    seed = int(rng.integers(2**31))
    parts = _four(leg)
    if rng.random() < 0.3:
        height = rng.uniform(0.15, 0.6) * top
        rail = sweep(np.array([[-x / 2, y / 2, height], [x / 2, y / 2, height]]) * [inset, inset, 1], thick * 0.7)
        parts += [rail, rail.mirrored(1)]
    return parts


def _board(rng: Rng, x: float, y: float, thickness: float) -> Part:
    return cylinder(0.5, thickness) if rng.random() < 0.2 and abs(x - y) < 0.2 else box(x, y, thickness)


def table(rng: Rng) -> list[Part]:
    x, y, top = rng.uniform(0.5, 2), rng.uniform(0.4, 1.0), rng.uniform(0.3, 1.0)
    parts = [_board(rng, x, y, rng.uniform(0.02, 0.1)).moved((0, 0, top)), *_legs(rng, x, y, top)]
    if rng.random() < 0.3:
        parts.append(box(x * 0.9, y * 0.9, 0.03).moved((0, 0, rng.uniform(0.1, 0.6) * top)))
    if rng.random() < 0.25:
        drawers = box(x * rng.uniform(0.2, 0.4), y * 0.9, top * rng.uniform(0.3, 0.9))
        parts.append(drawers.moved((x * 0.3, 0, top * 0.6)))
    return parts


def chair(rng: Rng) -> list[Part]:
    x, y = rng.uniform(0.4, 0.7), rng.uniform(0.4, 0.6)
    seat, back = rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.8)
    thick = rng.uniform(0.02, 0.15)
    parts = [_board(rng, x, y, thick).moved((0, 0, seat)), *_legs(rng, x, y, seat)]
    lean = rng.uniform(0, 0.25)
    style = rng.random()
    if style < 0.45:
        parts.append(box(x, rng.uniform(0.02, 0.12), back).turned(0, lean).moved((0, y / 2, seat + back / 2)))
    elif style < 0.85:
        bars = int(rng.integers(2, 7))
        post = sweep(np.array([[0, 0, 0], [0, back * lean, back]]), rng.uniform(0.01, 0.03))
        parts += [post.moved((u * x * 0.46, y * 0.46, seat)) for u in np.linspace(-1, 1, bars)]
        parts.append(box(x, 0.04, rng.uniform(0.04, 0.2)).moved((0, y * 0.46 + back * lean, seat + back)))
    if rng.random() < 0.35:
        arm = box(rng.uniform(0.03, 0.12), y, rng.uniform(0.03, 0.25)).moved((x / 2, 0, seat + rng.uniform(0.12, 0.3)))
        parts += [arm, arm.mirrored(0)]
    return parts


def shelf(rng: Rng) -> list[Part]:
    x, y, z = rng.uniform(0.4, 1.5), rng.uniform(0.2, 0.6), rng.uniform(0.5, 2)
    thick = rng.uniform(0.015, 0.05)
    levels, bays = int(rng.integers(2, 7)), int(rng.integers(2, 5))
    parts = [box(x, y, thick).moved((0, 0, h)) for h in np.linspace(0, z, levels)]
    parts += [box(thick, y, z).moved((u, 0, z / 2)) for u in np.linspace(-x / 2, x / 2, bays)]
    if rng.random() < 0.6:
        parts.append(box(x, thick, z).moved((0, y / 2, z / 2)))
    if rng.random() < 0.4:
        parts.append(box(x, thick, z * rng.uniform(0.3, 1)).moved((0, -y / 2, z / 2)))
    return parts


def vessel(rng: Rng) -> list[Part]:
    corners = int(rng.integers(3, 9))
    heights = np.sort(rng.uniform(0, 1, corners)) * rng.uniform(0.3, 2.5)
    walk = rng.uniform(0.15, 0.6) * np.exp(np.cumsum(rng.normal(0, 0.3, corners)))
    fine = np.linspace(heights[0], heights[-1], 24)
    radii = np.interp(fine, heights, walk)
    radii = np.convolve(np.pad(radii, 2, "edge"), np.ones(5) / 5, "valid")
    profile = np.concatenate([[0.0], radii]), np.concatenate([fine[:1], fine])
    parts = [lathe(*profile)]
    if rng.random() < 0.5:
        parts.append(lathe(radii * 0.93, fine))
    if rng.random() < 0.3:
        handle = torus(rng.uniform(0.1, 0.3), rng.uniform(0.015, 0.04), np.pi).turned(0, np.pi / 2)
        handle = handle.turned(1, np.pi / 2).moved((float(radii.mean()), 0, float(fine.mean())))
        parts += [handle] if rng.random() < 0.6 else [handle, handle.mirrored(0)]
    return parts


def lamp(rng: Rng) -> list[Part]:
    height, reach = rng.uniform(0.5, 1.8), rng.choice([0.0, rng.uniform(0.1, 0.5)])
    base = cylinder(rng.uniform(0.1, 0.3), rng.uniform(0.02, 0.1), rng.uniform(0.3, 1.1))
    pole = sweep(np.array([[0, 0, 0], [0, 0, height * 0.7], [reach, 0, height]]), rng.uniform(0.008, 0.03))
    lower, upper, tall = rng.uniform(0.1, 0.4), rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.4)
    shade = lathe(np.array([lower, upper]), np.array([-tall / 2, tall / 2]))
    if rng.random() < 0.25:
        shade = ellipsoid(lower, lower, tall / 2)
    return [base, pole, shade.moved((reach, 0, height))]


def vehicle(rng: Rng) -> list[Part]:
    long, wide, high = rng.uniform(1, 3), rng.uniform(0.5, 1), rng.uniform(0.25, 0.8)
    wheel = rng.uniform(0.1, 0.3)
    parts = [box(wide, long, high).moved((0, 0, wheel + high / 2))]
    cabin = rng.uniform(0.2, 0.7)
    parts.append(
        box(wide * 0.9, long * cabin, high * rng.uniform(0.5, 1.2)).moved(
            (0, long * rng.uniform(-0.3, 0.3) * (1 - cabin), wheel + high * 1.3)
        )
    )
    disc = cylinder(wheel, wide * 0.15).turned(1, np.pi / 2)
    for place in np.linspace(-0.36, 0.36, int(rng.integers(2, 5))) * long:
        side = disc.moved((wide / 2, place, wheel))
        parts += [side, side.mirrored(0)]
    return parts


def composition(rng: Rng) -> list[Part]:
    """Anything: a few primitives where they fall, some mirrored, some repeated along a line or about an axis."""
    parts: list[Part] = []
    for _ in range(int(rng.integers(1, 6))):
        size = np.exp(rng.normal(-1.2, 0.6, 3))
        kind = rng.integers(5)
        part = (
            box(*(2 * size))
            if kind == 0
            else ellipsoid(*size)
            if kind == 1
            else cylinder(size[0], 2 * size[2], rng.uniform(0, 1.2))
            if kind == 2
            else torus(size[0] + size[1] / 3, size[1] / 3)
            if kind == 3
            else sweep(np.cumsum(rng.normal(0, 0.3, (int(rng.integers(2, 6)), 3)), axis=0), size[0] / 5)
        )
        if rng.random() < 0.4:
            part = part.turned(int(rng.integers(3)), rng.choice([np.pi / 2, rng.uniform(0, np.pi)]))
        part = part.moved(rng.normal(0, 0.4, 3))
        arrangement = rng.random()
        if arrangement < 0.4:
            parts += [part, part.mirrored(0)]
        elif arrangement < 0.55:
            step = rng.normal(0, 0.3, 3)
            parts += [part.moved(step * k) for k in range(int(rng.integers(2, 6)))]
        elif arrangement < 0.7:
            count = int(rng.integers(3, 9))
            parts += [part.turned(2, 2 * np.pi * k / count) for k in range(count)]
        else:
            parts.append(part)
    return parts


KINDS = (table, chair, shelf, vessel, lamp, vehicle, composition)


def shape(seed: int, index: int) -> NDArray[np.float32]:
    """Shape `index` of the source `seed`: (4096, 3) points in the unit sphere, z up."""
    rng = np.random.default_rng((seed, index))
    kind = KINDS[int(rng.choice(len(KINDS), p=[0.12, 0.14, 0.12, 0.14, 0.08, 0.1, 0.3]))]
    parts = kind(rng)
    areas = np.array([part.area for part in parts])
    counts = rng.multinomial(HELD, areas / areas.sum())
    points = np.concatenate([part.draw(rng, int(n)) for part, n in zip(parts, counts, strict=True)])
    return Frame.of(points).to_unit(points)


class Stream:
    """What a training draws: each step a random choice out of a window of shapes that moves on a little.

    The batch at a step depends on the seed and the step alone; shapes in the window are made once and kept.
    """

    WINDOW = 512

    def __init__(self, seed: int, *, per_batch: int) -> None:
        self.seed, self.per_batch = seed, per_batch
        self.fresh = max(1, per_batch // 4)
        self.made: dict[int, NDArray[np.float32]] = {}

    def __getitem__(self, step: int) -> NDArray[np.float32]:
        first = step * self.fresh
        for passed in [index for index in self.made if index < first]:
            del self.made[passed]
        chosen = first + np.random.default_rng((self.seed, step)).integers(0, self.WINDOW, self.per_batch)
        for index in set(chosen.tolist()) - self.made.keys():
            self.made[index] = shape(self.seed, index)
        return np.stack([self.made[index] for index in chosen.tolist()])
