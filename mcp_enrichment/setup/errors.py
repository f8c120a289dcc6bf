"""Why a configuration is left as it is."""

from __future__ import annotations


class SetupError(Exception):
    """Nothing was changed; the message is a sentence that says why and what to do."""


class UnreadableConfig(Exception):
    """A text is not in its format, or not in a form that can be edited: the message says where."""


class ConfigHasComments(UnreadableConfig):
    """It is JSON as editors read it, and this client reads less."""

    def __init__(self) -> None:
        super().__init__("it has comments, or a comma before a bracket")
