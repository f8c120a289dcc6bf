"""What is said of an error or of a next step, in fields: each face joins those for its reader."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING_DONE = "Nothing was started and nothing charged."
NOTHING_CHANGED = "Nothing was changed."
NOTHING_SENT = "Nothing was sent and nothing charged."


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Whole sentences, one field each. None holds text from outside: no answer's body, no key."""

    happened: str
    """What happened, for any reader: it names no tool, and nobody as "the user"."""
    money: str
    """What it did to money, or what was left undone."""
    for_person: str
    """What somebody at a terminal, or who calls the service over HTTP, does now."""
    for_assistant: str | None = None
    """What an assistant does now, as its next call or what it tells the user. None: it can do by
    itself what a person can."""

    @property
    def facts(self) -> str:
        """What happened and what it did to money, without advice."""
        return f"{self.happened} {self.money}"

    def to_person(self) -> str:
        """The text for a terminal, and for an error body over HTTP."""
        return f"{self.facts} {self.for_person}"

    def to_assistant(self) -> str:
        """The text for a model that calls the tools."""
        return f"{self.facts} {self.for_assistant or self.for_person}"


def invalid_setting(fault: str) -> Explanation:
    """For a setting that no call can be made with."""
    return Explanation(
        happened=fault,
        money=NOTHING_SENT,
        for_person="Correct it and try again.",
        for_assistant="Ask the user to correct it where this server is set up; it is read when the "
        "server starts anew. Do not retry before that.",
    )
