"""What the verbs print: lines or JSON, distances in one unit, nothing that could command a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from pcbin.errors import PartialError

if TYPE_CHECKING:
    from pcbin.cloud import Frame
    from pcbin.pipeline.describe import Description
    from pcbin.pipeline.encode import Note, Skipped
    from pcbin.pipeline.mix import Form
    from pcbin.pipeline.recode import Recoded
    from pcbin.pipeline.summary import Advice, Distortion, Restored, Summary

CD_UNITS = 1e4  # Chamfer distances are shown times this
TIMES = (1.5, 2, 3)  # the noise floor, as `pcbin.pipeline.summary` counts the clouds within
BLOCK = 1000  # lines that are printed together
SHOWN = 10  # items of a list that are printed; JSON has them all
ALIASES: dict[str, str] = {}  # paths that the user has not named, and what they are called


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[f"pcbin.{parameter.name}"] = value


def _is(name: str) -> bool:
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(f"pcbin.{name}"))


OPTIONS = tuple(
    click.option(f"--{name}", is_flag=True, expose_value=False, callback=_remember, help=help)
    for name, help in (("json", "The report as JSON."), ("quiet", "No progress, no report."))
)


def is_quiet() -> bool:
    return _is("quiet")


def is_json() -> bool:
    return _is("json")


def leave_stdout() -> None:
    """Standard output belongs to an archive: reports go to standard error."""
    click.get_current_context().meta["pcbin.piped"] = True


def echo(line: str, *, err: bool = False) -> None:
    """Print a line. Control characters, which names, metadata and models may hold, are shown, not sent."""
    click.echo(_shown(line), err=err or _is("piped"))


def echo_all(lines: Iterable[str]) -> None:
    """Print many lines as they come, a block at a time: ten times as fast as one by one."""
    lines = map(_shown, lines)
    while block := list(islice(lines, BLOCK)):
        click.echo("\n".join(block), err=_is("piped"))


def _shown(line: str) -> str:
    for path, title in ALIASES.items():
        line = line.replace(path, title)
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def show(fields: Mapping[str, Any], lines: Iterable[str] = ()) -> None:
    """The report: `fields` with --json, else `lines`, with --quiet none."""
    if is_json():
        click.echo(to_json(fields, indent=2), err=_is("piped"))
    elif not is_quiet():
        for line in lines:
            echo(line)


def to_json(fields: Any, indent: int | None = None) -> str:
    """JSON as its standard has it: NaN and infinity, which it does not know, are null."""
    return json.dumps(_finite(fields), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cd(distance: float) -> str:
    return f"{distance * CD_UNITS:.1f}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines of aligned columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()


def records(columns: Mapping[str, Sequence[Any]], facts: Mapping[str, Any]) -> None:
    """Facts as lines, columns as a table. What is called CD or MMD-CD is shown x 1e4, in JSON as it is."""
    lines = [f"{_title(name)}: {_text(name, value)}" for name, value in facts.items()]
    if some := rows(columns):
        lines += table([list(map(_title, columns)), *([_text(*item) for item in row.items()] for row in some)])
    show({**facts, "records": some}, lines)


def rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Columns as a row for each record."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def fact(name: str, value: Any) -> str:
    """A cell of such a table, alone."""
    return f"{_text(name, value)} bits" if name == "bits" else f"{_title(name)} {_text(name, value)}"


def _title(name: str) -> str:
    return f"{name} x 1e4" if "CD" in name else name


def _text(name: str, value: Any) -> str:
    if isinstance(value, float):
        return cd(value) if "CD" in name else f"{value:.3f}"
    return str(value)


def written(out: object, records: int, **more: Any) -> None:
    """An archive of so many records."""
    show({"archive": str(out), "records": records, **more}, [f"{out}: {records:,} records"])


def summed(summary: Summary) -> None:
    """A finished compress or append; raises PartialError if anything was skipped, or a promise not kept."""
    show(summary.to_dict(), compressed(summary))
    complain(summary.skipped, f"{summary.archive} is complete")
    if summary.broken:
        first, count = summary.broken[0], len(summary.broken)
        clouds = "1 cloud is" if count == 1 else f"{count:,} clouds are"
        example = f"{first.name}: {cd(first.distortion)}, not {cd(first.limit)}"
        raise PartialError(
            f"{summary.archive} is complete, but {clouds} farther than promised ({example})",
            remedy="leave out --codes-only",
        )


def compressed(summary: Summary) -> Iterator[str]:
    added = "" if summary.total == summary.clouds else f"{summary.clouds:,} clouds added; "
    yield _size(summary.archive, added, summary.total, summary)
    yield f"model       {summary.model}"
    speed = summary.clouds / summary.seconds
    yield f"effort      {summary.effort}, {summary.seconds:,.1f} s, {speed:,.1f} clouds a second"
    if (carried := summary.decoder) is not None:
        share = carried.bytes / summary.bytes
        yield (
            f"decoder     {carried.bytes:,} bytes inside, {share:.0%} of the archive, in {carried.bits} bits a weight; "
            f"decodes differ by CD x 1e4 {1e4 * carried.moved:.2f}"
        )
    yield from _orientation(summary)
    if (found := summary.distortion) is not None:
        yield from _distortion(found)
        yield f"noise floor {_floor(found.floor, found.floors)}"
        yield from _within(found)
        yield from _directories(summary.directories)
    yield from _mix(summary.mix)
    if summary.dropped_points:
        yield f"dropped     {summary.dropped_points:,} points that were NaN or infinite"
    if summary.left_out:
        yield f"left out    {_left_out(summary.left_out)}: --keep color,normal keeps those of points that are stored"
    yield from _advice(summary.advice)
    yield from _list("renamed", [f"{name} to {unique}" for name, unique in summary.renamed])
    yield from _list("no cloud for the metadata of", summary.unused_meta)
    farther = [f"{item.name}: CD x 1e4 {cd(item.distortion)}, not {cd(item.limit)}" for item in summary.broken]
    yield from _list("farther than promised", farther)
    yield from _list("told", _notes(summary.notes))
    if summary.passed_over:
        counts = ", ".join(f"{count:,} {extension}" for extension, count in list(summary.passed_over.items())[:SHOWN])
        hints = [f"--{name[1:]}" for name in (".bin", ".pt") if name in summary.passed_over]
        hint = f" ({' and '.join(hints)} would read them, see docs/files.md)" if hints else ""
        yield f"passed over {sum(summary.passed_over.values()):,} files pcbin does not read: {counts}{hint}"
    yield from _skipped(summary.skipped)


def restored(result: Restored) -> None:
    """A finished decompress; raises PartialError if anything was skipped."""
    lines = [f"{result.directory}: {result.clouds:,} clouds"]
    if result.left_out:
        lines.append(f"left out    {_left_out(result.left_out)}: PLY holds them, without --points")
    show(result.to_dict(), [*lines, *_skipped(result.skipped)])
    complain(result.skipped, f"{result.clouds:,} clouds were written")


def recoded(result: Recoded) -> None:
    """A finished recode; raises PartialError if anything was skipped."""
    show(result.to_dict(), _recoded(result))
    complain(result.skipped, f"{result.archive} is complete")


def _recoded(result: Recoded) -> Iterator[str]:
    yield f"{result.archive}: {result.clouds:,} clouds in {result.bytes:,} bytes"
    yield f"model       {result.model}, before {result.before}"
    yield f"effort      {result.effort}, {result.seconds:,.1f} s, {result.clouds / result.seconds:,.1f} clouds a second"
    if result.stored:
        yield f"stored      {result.stored:,} clouds keep their points"
    if (moved := result.moved) is not None:
        yield from _distortion(moved)
        yield "            from what was decoded before; how far from the sources is not known"
    yield from _list("told", _notes(result.notes))
    yield from _skipped(result.skipped)


def described(found: Description) -> None:
    show(found.to_dict(), _described(found))


def _described(found: Description) -> Iterator[str]:
    yield _size(found.archive, "", found.clouds, found)
    carried = ", carried inside" if found.model_inside else ""
    if found.model_inside:
        carried += f"; {found.model_at_hand} is here and used" if found.model_at_hand else ", unverified"
    yield f"model       {found.model}, SHA-256 {found.model_sha256[:12]}...{carried}"
    yield f"codes       {found.bits} bits for {found.points:,} points, {found.bits_per_point:.3f} bits per point in all"
    if (distortion := found.distortion) is not None:
        yield from _distortion(distortion)
    if found.lying != "z up":
        yield f"lying       {found.lying}"
    yield from _turned(found.turned, found.align)
    yield from _mix(found.mix)
    yield f"written by  {found.creator or 'unknown'}"
    if found.meta:
        yield f"metadata    {json.dumps(found.meta, ensure_ascii=False)}"
    yield ""
    rows = [("column", "bytes", "per cloud", "share")]
    for column, size in found.columns.items():
        rows.append((column, f"{size:,}", f"{size / max(found.clouds, 1):.2f}", f"{size / found.bytes:.1%}"))
    yield from table(rows)


def complain(skipped: Sequence[Skipped], done: str) -> None:
    """Raise PartialError if anything was skipped."""
    if skipped:
        first, rest = skipped[0], len(skipped) - 1
        more = f", and {rest:,} more" if rest else ""
        what = "1 input was" if not rest else f"{len(skipped):,} inputs were"
        raise PartialError(f"{done}, but {what} skipped ({first.path}: {first.cause}{more})")


def _left_out(counts: Mapping[str, int]) -> str:
    """Of how many clouds colours and normals are not there."""
    return ", ".join(f"{name} of {count:,} cloud{'s' * (count > 1)}" for name, count in counts.items())


def _size(archive: str, added: str, clouds: int, found: Summary | Description) -> str:
    return (
        f"{archive}: {added}{clouds:,} clouds in {found.bytes:,} bytes, "
        f"{found.bytes_per_cloud:.1f} bytes per cloud, {times_smaller(found.ratio)} than float32"
    )


def _mix(forms: Sequence[Form]) -> Iterator[str]:
    """A table of what clouds are kept as, where that is not one thing."""
    if len(forms) > 1:
        rows = [("kept as", "clouds", "bytes each", "CD x 1e4")]
        for form in forms:
            away = "" if form.distortion is None else cd(form.distortion)
            rows.append((form.name, f"{form.clouds:,}", f"{form.bytes:,.0f}", away))
        yield ""
        yield from table(rows)


def _notes(notes: Iterable[Note]) -> list[str]:
    """A line for each thing told, with the first file it was told of."""
    paths: dict[str, list[str]] = {}
    for note in notes:
        paths.setdefault(note.text, []).append(note.path)
    return [
        f"{where[0]}: {text}" + (f" (so {len(where) - 1:,} more)" if len(where) > 1 else "")
        for text, where in paths.items()
    ]


def _orientation(summary: Summary) -> Iterator[str]:
    lying = summary.orientation
    sample = "1 cloud" if lying.clouds == 1 else f"{lying.clouds:,} clouds"
    if lying.convention != "z up":
        told = f": taken from {sample}; --up z to override" if lying.clouds else ""
        yield f"lying       {lying.convention}{told}"
    elif not lying.clear:
        yield f"lying       z up: {sample} do not tell; --up to choose, --align to turn each"
    yield from _turned(lying.turned, lying.align)


def _turned(count: int, align: str) -> Iterator[str]:
    if align != "none":
        yield f"turned      {count:,} clouds, each its own way (--align {align})"


def _distortion(found: Distortion) -> Iterator[str]:
    yield f"CD x 1e4    median {cd(found.median)}, mean {cd(found.mean)}"
    if found.rms is not None:
        yield f"RMS         median {found.rms:.3g} in the clouds' own unit"
    yield f"worst       {', '.join(f'{name} {cd(distance)}' for name, distance in found.worst)}"


def _floor(floor: float | None, count: int) -> str:
    if floor is None:
        return "not measured: no cloud has twice the model's number of points"
    return f"{cd(floor)}, median of {count:,} sampled {'clouds' if count > 1 else 'cloud'}"


def _within(found: Distortion) -> Iterator[str]:
    if found.within:
        shares = ", ".join(f"{share:.0%} within {times:g} x" for times, share in found.within)
        yield f"to floor    {shares} their own floor"


def _directories(found: Mapping[str, Distortion]) -> Iterator[str]:
    if found:
        rows = [("directory", "clouds", "CD x 1e4", "floor", "RMS", *(f"in {times:g} x" for times in TIMES))]
        worst = sorted(found.items(), key=lambda item: -item[1].mean)[:SHOWN]
        rows += [(name, *_numbers(distortion)) for name, distortion in worst]
        yield ""
        yield from table(rows)
        if len(found) > SHOWN:
            yield f"and {len(found) - SHOWN:,} better ones more"


def _numbers(found: Distortion) -> list[str]:
    floor = "" if found.floor is None else cd(found.floor)
    rms = "" if found.rms is None else f"{found.rms:.3g}"
    shares = [f"{share:.0%}" for _, share in found.within] or [""] * len(TIMES)
    return [f"{found.clouds:,}", cd(found.mean), floor, rms, *shares]


def _advice(found: Sequence[Advice]) -> Iterator[str]:
    for number, advice in enumerate(found):
        clouds = "cloud" if advice.clouds == 1 else f"{advice.clouds:,} clouds"
        gain = (
            f"not measured; from {cd(advice.before)} to {cd(advice.after)} at the very best"
            if advice.bound
            else f"CD x 1e4 from {cd(advice.before)} to {cd(advice.after)} on a sample of {clouds}"
        )
        yield f"{'' if number else 'try next':<12}{advice.option}: {gain} ({advice.cost})"


def lying(frame: Frame | None) -> str:
    """How a record's cloud was turned; nothing where it was not."""
    from pcbin.orientation import describe, numbers

    return "" if frame is None or frame.turn is None else describe(int(numbers([frame.turn])[0]))


def times_smaller(ratio: float) -> str:
    """A ratio of sizes in words: at least "1.0 times larger" or "1.0 times smaller"."""
    if ratio < 1:
        return f"{1 / ratio:,.1f} times larger" if ratio else "larger"
    return f"{ratio:,.0f} times smaller" if ratio >= 10 else f"{ratio:.1f} times smaller"


def _skipped(items: Sequence[Skipped]) -> Iterator[str]:
    yield from _list("skipped", [f"{item.path}: {item.cause}" for item in items])


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"{title} {len(items):,}:"
        yield from (f"  {item}" for item in items[:SHOWN])
        if len(items) > SHOWN:
            yield f"  and {len(items) - SHOWN:,} more"
