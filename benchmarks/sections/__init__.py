"""What is measured, a module each: `measure(run)` gives results for JSON, `page(results)` their Markdown under `TITLE`,
and `draw(results, folder)`, where there is one, their picture."""

from types import ModuleType

from benchmarks.sections import archive, memory, profile, rates, reference, search, speed

SECTIONS: dict[str, ModuleType] = {
    "rates": rates,
    "reference": reference,
    "speed": speed,
    "memory": memory,
    "archive": archive,
    "search": search,
    "profile": profile,
}
