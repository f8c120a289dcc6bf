"""The text of an error or of a next step, in one field for each purpose and reader."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

NOTHING_DONE = "Nothing was started and nothing charged."
NOTHING_CHANGED = "Nothing was changed."
NOTHING_SENT = "Nothing was sent and nothing charged."


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Each field has whole sentences, without text from outside."""

    happened: str
    """The event, in words for any reader: without names of tools, and without "the user"."""
    money: str
    """The effect on money, or what was not done."""
    for_person: str
    """The advice for a reader at a terminal or of an HTTP response."""
    for_assistant: str | None = None
    """The advice for an assistant: its next call, or the message for the user. None: the same as
    for a person."""

    @property
    def facts(self) -> str:
        """The event and its effect on money, without advice."""
        return f"{self.happened} {self.money}"

    def to_person(self) -> str:
        """The text for a terminal, and for an error body over HTTP."""
        return f"{self.facts} {self.for_person}"

    def to_assistant(self) -> str:
        """The text for a model that calls the tools."""
        return f"{self.facts} {self.for_assistant or self.for_person}"


class ExplainedEnum(StrEnum):
    """An enum whose members have a value, and a text for people."""

    text: str

    def __new__(cls, value: str, text: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member


def invalid_setting(happened: str) -> Explanation:
    """The explanation of an invalid setting, with which no call is possible."""
    return Explanation(
        happened=happened,
        money=NOTHING_SENT,
        for_person="Correct it and try again.",
        for_assistant="Ask the user to correct it where this server is set up, and to restart the "
        "server. Do not retry before that.",
    )
