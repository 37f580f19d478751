"""Results for people: a Markdown table of each benchmark, and a picture of `saturation`."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.harness import Row


def markdown(environment: Mapping[str, str], stated: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Each benchmark with what it states it measures and its tables: median (least to most)."""
    parts = ["# Benchmarks", "\n".join(f"- {name}: {what}" for name, what in environment.items())]
    for benchmark, what in stated.items():
        tables: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in rows:
            if row.benchmark == benchmark:
                tables[tuple(row.case)].append(row)
        parts += [f"## {benchmark}", what, *map(_table, tables.values())]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Row]) -> str:
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    head = [*rows[0].case, *metrics, "note"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        figures = [_spread(row.metrics.get(name, [])) for name in metrics]
        lines.append([*map(str, row.case.values()), *figures, row.note])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle, least, most = map(_figure, (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _figure(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def picture(rows: Sequence[Row], path: Path) -> bool:
    """Draw the clients of `saturation` by requests in flight; False where there is no way to."""
    lines: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.benchmark == "saturation" and "client" in row.case and row.metrics:
            lines[str(row.case["client"])].append(row)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("requests/s", "CPU us/request"), strict=True):
        for client, points in lines.items():
            levels = [row.case["in flight"] for row in points]
            values = [row.metrics[metric] for row in points]
            width = 3 if client.startswith("vcgen") else 1.5
            axes.plot(levels, [*map(median, values)], label=client, marker="o", linewidth=width)
            axes.fill_between(levels, [*map(min, values)], [*map(max, values)], alpha=0.2)
        axes.set(xscale="log", yscale="log", xlabel="requests in flight", title=metric)
        axes.grid(visible=True, which="both", alpha=0.3)
    if lines:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        figure.savefig(path)
    return bool(lines)
