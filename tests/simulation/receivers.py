"""The receiver of callbacks, which keeps what it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.network import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.network import Message
    from tests.simulation.world import World


class CallbackReceiver:
    """Answers each callback with the next status of the plan, and then with 200."""

    def __init__(self, world: World, answers: list[int]) -> None:
        self._world, self._answers = world, answers
        self.seen: list[Message] = []

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        self.seen.append(message)
        status = self._answers.pop() if self._answers else 200
        if status:
            reply(Answer(status, {}, b""))

    def stop_faults(self) -> None:
        self._answers.clear()
