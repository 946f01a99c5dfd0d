"""An archive together with the model its codes belong to, and what can be asked of the two. Finds records, and hands
the work on their codes to `latent`, `search`, `cluster` and `prior`; every answer is `Shapes`."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin import archive, cluster, files, latent, search
from pcbin.algebra import Algebra, Bits, Prior, algebra_of
from pcbin.align import place
from pcbin.archive import Archive, Record
from pcbin.bits import Codes
from pcbin.cloud import Frame, normalise, resample
from pcbin.codec import Codec
from pcbin.errors import CloudError, ModelError, RecordError, UsageError
from pcbin.metrics import unit_chamfer
from pcbin.model import Model, carry, load, loads, shipped
from pcbin.neighbours import chamfer
from pcbin.prior import SIZES
from pcbin.quantised import Quantised
from pcbin.shapes import Cloud, Shapes
from pcbin.sources import Originals, read_one

PathLike = str | os.PathLike[str]
Query = PathLike | ArrayLike  # a record's name or number, a cloud file, or a cloud (N, 3)
TOP = 100  # records that are decoded to be re-ranked
ALIKE = 8e-4  # Chamfer distance of decodes up to which two shapes count as one
DECODED = 256  # pairs decoded at a time


class Collection:
    """A context manager: ``with Collection("scans.pcb") as scans: scans.search("chairs/one", k=3).names``."""

    def __init__(
        self, path: archive.Place | Archive, model: Model | PathLike | None = None, *, device: str = "cpu"
    ) -> None:
        """An archive, or the path, URL or seekable file of one; its model, see `load_for`, is loaded when something is
        to be decoded or encoded.

        Raises FormatError for what is no archive, and later ModelError when the model is not here or not the right one.
        """
        self.archive = path if isinstance(path, Archive) else archive.open(path)
        self._model, self._device = model, device

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.archive.close()

    def __len__(self) -> int:
        return len(self.archive)

    def __repr__(self) -> str:
        return f"<pcbin.Collection {self.archive.path}: {len(self):,} records of {self.archive.header.model}>"

    @cached_property
    def codec(self) -> Codec:
        """The codec of the archive's model."""
        model, header = load_for(self.archive, self._model, device=self._device), self.archive.header
        return Codec(model, bits=model.bits_of(header.code_bytes))

    @cached_property
    def algebra(self) -> Algebra:
        """What can be done with the codes."""
        if self.archive.header.code == "bits":
            return Bits()  # the model is not needed
        return algebra_of(self.codec.model.config.latent, self.codec.depth)

    # --- records -----------------------------------------------------------------------------------------------

    @property
    def codes(self) -> Codes:
        """All codes (n, bytes) uint8. Raises UsageError when there are none."""
        if not len(self.archive):
            raise UsageError("holds no records", path=self.archive.path)
        return self.archive.codes

    def find(self, key: str) -> int:
        """The record with this name or, where there is none, this number. Raises RecordError."""
        try:
            return self.archive.find(key)
        except RecordError:
            if key.isdecimal() and int(key) < len(self.archive):
                return int(key)
            raise

    def name(self, record: int) -> str:
        """A record's name, or its number where it has none."""
        return self.archive.name(record) or f"{record:06d}"

    def names(self) -> Iterator[str]:
        """All of them, in order."""
        for i, name in enumerate(self.archive.names):
            yield name or f"{i:06d}"

    def named(self, records: Sequence[int]) -> Shapes:
        """Some records as they are."""
        found = [self.archive[int(i)] for i in records]
        known = [record.frame for record in found if record.frame is not None]
        codes = np.stack([record.code for record in found]) if found else self.archive.codes[:0]
        names, frames = [self.name(record.index) for record in found], known if len(known) == len(found) else None
        return Shapes(codes, names, frames, found, self.archive.header)

    def clouds(self, records: Sequence[int]) -> NDArray[np.float32]:
        """The clouds (n, points, 3) of some records in the unit sphere, from all that the archive keeps of them: every
        byte of their codes, or the stored points, resampled."""
        found = self.named(records).clouds(self.codec)
        size = self.codec.points
        alike = [cloud if len(cloud) == size else resample(cloud, size) for cloud in found]
        return np.stack(alike).astype(np.float32, copy=False)

    def look_up(
        self, query: Query, seed: int = 0, reading: files.Options = files.PLAIN
    ) -> tuple[Codes, Cloud, Frame | None]:
        """A shape's code (bytes,), its points in the unit frame (of a record see `clouds`), its frame.

        A cloud is turned as those of the archive were; `reading` is as for `pcbin.compress`.

        Raises RecordError when `query` is neither record nor file, CloudError when it holds anything but one cloud.
        """
        if isinstance(query, str):
            if (record := self._record(query)) is not None:
                return record.code, self.clouds([record.index])[0], record.frame
            if not os.path.exists(query):
                raise RecordError(f"no record and no file {query!r}", path=self.archive.path)
        header = self.archive.header
        points = read_one(query, replace(reading, points=self.codec.points, seed=seed))
        unit, frame = place(
            self.codec.model, points, align=header.align, up=header.up, effort=self.codec.effort, seed=seed
        )
        return self.codec.encode(unit[None])[0], unit, frame

    def _whole(self, query: Query, seed: int) -> tuple[Codes, Frame | None]:
        """As `look_up`, all bytes of the code."""
        if (record := self._record(query)) is not None:
            return record.whole, record.frame
        code, _, frame = self.look_up(query, seed)
        return code, frame

    def _record(self, query: Query) -> Record | None:
        """The record that a query names."""
        with suppress(RecordError):
            return self.archive[self.find(query)] if isinstance(query, str) else None
        return None

    def labels(self, table: Mapping[str, Mapping[str, Any]] | None = None) -> list[str] | None:
        """A label per record: from a table by name where given, else from metadata "label", else the
        directory in its name. None where some record has none of these."""
        labels: list[str] = []
        known: dict[str, str] = {}  # each is held once
        for record in self.archive:
            name = record.name or ""
            row = table.get(name, {}) if table is not None else record.meta or {}
            label = row.get("label") or (name.rpartition("/")[0] if table is None else "")
            if not label:
                return None
            labels.append(known.setdefault(str(label), str(label)))
        return labels

    def originals(self, directory: PathLike | None = None) -> Originals:
        """The sources of the records: stored in the archive, or files of their names below a directory."""
        return Originals(self.archive, self.codec.points, directory)

    # --- what is like what -------------------------------------------------------------------------------------

    def where(self, filters: Mapping[str, str]) -> NDArray[np.int64]:
        """The records whose metadata has, for each of these keys, a value (as text) that matches the pattern."""
        found = (record.index for record in self.archive if _fits(record.meta or {}, filters))
        return np.fromiter(found, np.int64)

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        rerank: bool = False,
        among: NDArray[np.int64] | None = None,
        seed: int = 0,
        reading: files.Options = files.PLAIN,
    ) -> Shapes:
        """The k records nearest to a shape by the distance of their codes, Hamming's of bits and Euclid's of others; a
        record does not find itself.

        `rerank` orders the best 100 by the Chamfer distance of their `clouds` to the query's points; `among` restricts
        all to some records, see `where`; `reading` is for files, see `look_up`. Columns "record", "bits" or "distance"
        and, re-ranked, "CD". Raises UsageError unless there are k records to find; else as `look_up`.
        """
        record = self._record(query)
        itself = -1 if record is None else record.index
        codes = self.codes if among is None else self.codes[among]
        others = len(codes) - int(itself >= 0 if among is None else itself in among)
        if not 1 <= k <= others:
            raise UsageError(f"has {others} records to find, not {k}", path=self.archive.path, remedy="ask for fewer")
        code, cloud, _ = self.look_up(query, seed, reading)
        hits = self.algebra.search(codes, code, min(others, max(k, TOP) if rerank else k) + len(codes) - others)
        if among is not None:
            hits = replace(hits, indices=among[hits.indices])
        hits = hits.only(hits.indices != itself)
        if rerank:
            hits = search.rerank(hits, cloud, self.clouds(hits.indices.tolist()))
        hits = hits.only(slice(k))
        columns: dict[str, Any] = {"record": hits.indices.tolist(), self.algebra.measure: hits.apart.tolist()}
        if hits.chamfer is not None:
            columns["CD"] = hits.chamfer.tolist()
        return replace(self.named(hits.indices.tolist()), columns=columns, given=[cloud])

    def search_files(
        self, paths: Iterable[PathLike], k: int = 10, *, reading: files.Options = files.PLAIN, **options: Any
    ) -> Iterator[tuple[str, Shapes | CloudError]]:
        """`search` for each cloud file, and all those below directories: its path, and what is nearest to it or what is
        wrong with it."""
        for source in files.find(paths, reading):
            try:
                yield str(source.path), self.search(source.path, k, reading=reading, **options)
            except CloudError as error:
                yield str(source.path), error

    def duplicates(self, within: float = 0, cd: float = ALIKE) -> list[NDArray[np.int64]]:
        """The records of groups of near-identical shapes, the largest group first: codes that are equal or chained by
        pairs that are at most `within` apart, in bits or by Euclidean distance, and whose `clouds` are at most `cd`
        apart (Chamfer, mean form). Where records keep more than the code that is compared, equal ones are equal in that
        too, and the chained ones no farther from the first."""

        def alike(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
            parts = [slice(start, start + DECODED) for start in range(0, len(a), DECODED)]
            away = [chamfer(self.clouds(a[part].tolist()), self.clouds(b[part].tolist())) for part in parts]
            return np.concatenate(away) <= cd if away else np.zeros(0, bool)

        found = self.algebra.groups(self.archive.codes, within, alike)
        if not {"more", "stored"} & self.archive.bytes_by_column().keys():
            return found
        if within:
            checked = [group[alike(np.repeat(group[:1], len(group)), group)] for group in found]
        else:
            checked = [part for group in found for part in self._same(group)]
        return sorted((group for group in checked if len(group) > 1), key=lambda group: (-len(group), group[0]))

    def _same(self, records: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Records of one code, in groups of those that keep the same behind it and the same points."""
        parts: dict[tuple[bytes, bytes], list[int]] = {}
        for i in records.tolist():
            record = self.archive[i]
            kept = record.kept.points() if isinstance(record.kept, Quantised) else record.kept
            points = b"" if kept is None else hashlib.sha256(kept.tobytes()).digest()
            parts.setdefault((record.more or b"", points), []).append(i)
        yield from (np.array(part, np.int64) for part in parts.values())

    def clusters(self, k: int = 10, *, mixture: Model | PathLike | None = None, seed: int = 0) -> cluster.Clusters:
        """The records of groups of similar shapes, the largest group first, in each the medoid first: k-means on the
        codes, or the classes of a mixture model for the `clouds`. Raises UsageError, ModelError."""
        if mixture is None:
            assignment = cluster.k_means(self.codes, k, vectors=self.algebra.vectors, seed=seed)
        else:
            assignment = cluster.mixture_classes(load(mixture), len(self.codes), self.clouds)
        return cluster.by_size(self.codes, assignment, vectors=self.algebra.vectors)

    # --- new shapes --------------------------------------------------------------------------------------------

    def vary(
        self, query: Query, n: int = 8, *, amount: float = 0.1, posterior: Query | None = None,
        settle: bool = True, seed: int = 0,
    ) -> Shapes:  # fmt: skip
        """n shapes similar to one, see `algebra.Algebra.vary`. Columns "bits" or "distance", and "CD": how far from it.

        What changes is what shows little or, given the source as `posterior`, what the encoder doubts. With `settle`
        what comes of it is encoded anew, see `Codec.settle`.
        """
        code, cloud, frame = self.look_up(query, seed)
        doubt = None
        if posterior is not None:
            turn = None if frame is None else frame.turn
            source = normalise(read_one(posterior), self.codec.points, seed=seed, turn=turn)[0]
            doubt = self.codec.model.doubt(source[None])[0]
        codes = self.algebra.vary(code, n, amount, self.codec.decode, doubt, seed=seed)
        codes, facts = self._settled(codes, settle)
        shape, *shapes = self.codec.decode(np.concatenate([code[None], codes]))
        stem = query.rpartition("/")[2] if isinstance(query, str) else "shape"
        return Shapes(
            codes,
            [f"{stem}-{i:02}" for i in range(n)],
            None if frame is None else [frame] * n,
            columns={
                self.algebra.measure: self.algebra.apart(codes, code),
                "CD": [unit_chamfer(shape, other) for other in shapes],
            },
            facts=facts,
            given=[cloud],
        )

    def interpolate(
        self, a: Query, b: Query, steps: int = 8, *, shuffled: bool = False, settle: bool = False, seed: int = 0
    ) -> Shapes:
        """The shapes from a to b, both included: bits flip as `latent.interpolate` says or, `shuffled`, in random
        order; other codes go along the line. The ends are as many bytes of the codes as both have; stored points have
        no part in it. With `settle` those between are encoded anew, see `Codec.settle`.

        Column "CD from the one before"; facts on how even the steps are. Frames go from one to the other in even steps.
        """
        (start, first), (end, last) = self._whole(a, seed), self._whole(b, seed)
        common = min(len(start), len(end))
        start, end = start[:common], end[:common]
        path = self.algebra.interpolate(start, end, steps, self.codec.decode, shuffled=shuffled, seed=seed)
        path[1:-1], told = self._settled(path[1:-1], settle)
        shapes = Shapes(
            path,
            [f"step-{i:03}" for i in range(len(path))],
            None if first is None or last is None else latent.frames_between(first, last, len(path)),
            header=self.archive.header,
        )
        sizes = latent.step_sizes(shapes.clouds(self.codec))
        return replace(
            shapes,
            columns={"CD from the one before": [0.0, *sizes.tolist()]},
            facts={
                "CD of a step, mean": float(sizes.mean()),
                "spread (deviation / mean)": latent.spread(sizes),
                **told,
            },
        )

    def glue(self, a: Query, b: Query, axis: int = 2, at: float = 0.0, *, seed: int = 0) -> Shapes:
        """One shape of what lies above the plane x[axis] = at of cloud a and below it of b, encoded as a whole; at a's
        place. Fact "CD from the glued points"."""
        _, cloud_a, frame = self.look_up(a, seed)
        _, cloud_b, _ = self.look_up(b, seed)
        glued, _ = normalise(latent.glue(cloud_a, cloud_b, axis, at), self.codec.points, seed=seed)
        code = self.codec.encode(glued[None])
        away = unit_chamfer(glued, self.codec.decode(code)[0])
        given = [cloud_a, cloud_b, glued]
        return Shapes(code, ["combined"], _alone(frame), facts={"CD from the glued points": away}, given=given)

    def arithmetic(self, a: Query, b: Query, c: Query, *, settle: bool = False, seed: int = 0) -> Shapes:
        """The one shape a - b + c, latent by latent, at the place of c; with `settle` encoded anew, see
        `Codec.settle`."""
        (code_a, *_), (code_b, *_), (code_c, _, frame) = found = [self.look_up(key, seed) for key in (a, b, c)]
        code, facts = self._settled(self.algebra.arithmetic(code_a, code_b, code_c)[None], settle)
        return Shapes(code, ["combined"], _alone(frame), facts=facts, given=[cloud for _, cloud, _ in found])

    def _settled(self, codes: Codes, settle: bool) -> tuple[Codes, dict[str, str]]:
        """Codes encoded anew where that is asked for; as they are, and a fact, where the model has no encoder here."""
        if not settle or not len(codes):
            return codes, {}
        if self.codec.model.config.encoder is None:
            return codes, {"encoded anew": "no, the archive carries the decoder alone"}
        return self.codec.settle(codes), {}

    def prior(
        self, *, only: Iterable[str] = (), label: str | None = None, sizes: Sequence[int] = SIZES, seed: int = 0
    ) -> Prior:
        """A prior fitted to the codes, see `pcbin.prior.fit`; of it the part for shapes like the records `only` (names,
        patterns), or for those of a label (or pattern of labels). Raises RecordError, UsageError."""
        chosen = list(only)
        return self.algebra.prior(
            self.codes,
            near=list(select(self.archive, chosen)) if chosen else None,
            label=label,
            labels=None if label is None else self.labels(),
            sizes=sizes,
            model_sha256=self.archive.header.model_sha256,
            seed=seed,
        )


def load_for(
    source: Archive, model: Model | PathLike | None = None, *, whole: bool = False, device: str = "cpu"
) -> Model:
    """The model that an archive's codes belong to: the one given, else the shipped one with its SHA-256, else the one
    the archive carries, whose claim to that SHA-256 nobody can check. `whole` asks for the encoder too, which an
    archive does not carry.

    Raises:
        ModelError: there is none, or the one given is not the model whose SHA-256 the archive's header has.
    """
    header = source.header
    if model is not None:
        found = load(model, device=device)
    elif here := at_hand(source):
        found = load(here, device=device)
    elif not whole and (carried := source.model_bytes):
        found = loads(carried, device=device)
    else:
        raise ModelError(
            f"its codes need the model {header.model}, SHA-256 {header.model_sha256}, which is not here",
            path=source.path,
            remedy="give the model's file",
        )
    if found.sha256 != header.model_sha256:
        raise ModelError(
            f"its codes need the model {header.model} with SHA-256 {header.model_sha256}, "
            f"this is {found.name} with {found.sha256}",
            path=source.path,
            remedy="give the right model's file",
        )
    if found.config.points != header.points:
        raise ModelError(
            f"claims clouds of {header.points} points, its model {found.name} makes {found.config.points}",
            path=source.path,
            remedy="the archive's header is wrong: do not trust it",
        )
    return found


def at_hand(source: Archive) -> str | None:
    """The shipped model whose codes an archive holds, whatever the archive calls it; None if there is none."""
    wanted = source.header.model_sha256
    for name, path in shipped().items():
        with open(path, "rb") as file:
            claims = wanted.encode() in file.read(1 << 16)  # its header states it: others need not be loaded
        if claims and load(name).sha256 == wanted:
            return name
    return None


def select(source: Archive, only: Iterable[str]) -> Sequence[int]:
    """The numbers of the records with a name, or of a pattern of `fnmatch`, in `only`; of all where it is empty.

    Raises RecordError for a name or pattern that fits none.
    """
    patterns = list(only)
    if not patterns:
        return range(len(source))
    chosen: set[int] = set()
    for pattern in patterns:
        found = _matches(source, pattern)
        if not found:
            raise RecordError(f"holds no record {pattern!r}", path=source.path, remedy="pcbin list shows what it holds")
        chosen.update(found)
    return sorted(chosen)


def as_it_lies(record: Record, cloud: NDArray[np.float32], frame: bool) -> NDArray[Any]:
    """A record's points where they belong, in the world or the unit sphere; in either, as the original lies. `cloud` is
    what its code decoded to; points that are stored stand for it."""
    kept = record.kept
    if isinstance(kept, Quantised):
        cloud = kept.points()
    elif kept is not None:
        return kept if frame else Frame.of(kept).to_unit(kept)
    if record.frame is None:
        return cloud
    return (record.frame if frame else replace(record.frame, centre=np.zeros(3), radius=1.0)).to_world(cloud)


def merge(paths: Sequence[archive.Place], out: archive.Place, *, rename: bool = False, overwrite: bool = False) -> int:
    """`archive.merge`; where one of the archives carries a decoder and the model it claims to be of is shipped, the new
    one carries that model's own: what nobody has checked is not spread."""
    own = None
    for path in paths:
        with archive.Archive(path) as source:
            if source.footer.model and (name := at_hand(source)):
                own = carry(load(name)).data
                break
    return archive.merge(paths, out, rename=rename, overwrite=overwrite, model_bytes=own)


def annotate(source: Archive, out: PathLike, add: Callable[[int], dict[str, Any]], *, overwrite: bool = False) -> None:
    """Copy an archive to `out` with more metadata: `add(i)` for record i. Raises OutputError."""
    first, model, sources = 0, source.model_bytes, [source.source]
    with archive.create(out, source.header, overwrite=overwrite, model_bytes=model, sources=sources) as writer:
        for batch in source.batches():
            meta = [{**(old or {}), **add(first + i)} for i, old in enumerate(batch.meta or [None] * len(batch))]
            writer.write(batch.replace(meta=meta))
            first += len(batch)


def _fits(meta: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    return all(key in meta and fnmatch.fnmatchcase(str(meta[key]), text) for key, text in filters.items())


def _matches(source: Archive, pattern: str) -> list[int]:
    with suppress(RecordError):
        return [source.find(pattern)]
    return [i for i, name in enumerate(source.names) if fnmatch.fnmatchcase(name or f"{i:06d}", pattern)]


def _alone(frame: Frame | None) -> list[Frame] | None:
    return None if frame is None else [frame]
