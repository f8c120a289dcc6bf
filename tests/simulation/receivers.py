"""The receiver of callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.network import Answer
from tests.support.invariants.evidence import ReceivedCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.network import Message
    from tests.simulation.world import World


DIES = -1
"""In place of a status: the senders die before they hear it."""


class CallbackReceiver:
    """Answers each callback with the next status of the plan, or not at all if that is 0. When none
    is left, it answers 200. The plan goes on after faults have stopped, as the last attempt of a
    callback may come hours later."""

    def __init__(self, world: World, answers: list[int]) -> None:
        self._world, self._answers = world, answers

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        url = f"https://{message.host}{message.path}"
        received = ReceivedCallback(url=url, headers=message.headers, body=message.body)
        self._world.truth.callbacks.append(received)
        status = self._answers.pop() if self._answers else 200
        if status == DIES:
            self._world.events.kill_all()
        elif status:
            reply(Answer(status, {}, b""))
