"""A host that searches among the tools of many servers finds ours for its tasks, and only then.

`python -m bench.tool_choice` measures this with the tools of real servers. Here their part is a
record: how often words occur, and for each task the score of the third best tool.
"""

from __future__ import annotations

from bench.tool_choice import choosing
from bench.tool_choice.choosing import RIGHT, Task, text_of, words

TOOLS = {tool["name"]: words(text_of(tool)) for tool in choosing.our_tools()}
RECORDED = choosing.recorded()
THIRD = dict(zip((task.text for task in choosing.tasks()), RECORDED.others, strict=True))


def found(task: Task) -> set[str]:
    """Our tools that score higher than the third best of all others."""
    asked = words(task.text)
    scores = {name: RECORDED.score(asked, tool) for name, tool in TOOLS.items()}
    return {name for name, score in scores.items() if score > THIRD[task.text]}


def test_users_find_our_tools_by_their_own_words_among_900_others() -> None:
    own = [task for task in choosing.tasks() if RIGHT[task.kind]]
    assert len(own) == 140
    assert sum(bool(found(task)) for task in own) / len(own) >= 0.85
    assert sum(bool(found(task) & RIGHT[task.kind]) for task in own) / len(own) >= 0.8


def test_our_tools_do_not_come_up_for_tasks_of_others() -> None:
    """The goal is 5 %: the rest name LinkedIn and want something else of a person."""
    others = [task for task in choosing.tasks() if not RIGHT[task.kind]]
    assert len(others) == 60
    assert sum(bool(found(task)) for task in others) / len(others) <= 0.09
