"""How the text of any variable is read, before its own type has a look at it."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator, model_validator
from pydantic_settings import BaseSettings

from mcp_enrichment.contract.placeholders import text_problem
from mcp_enrichment.contract.text import strip_invisible

PROTECTIVE_SECRETS = frozenset({"push_secrets", "http_secret", "privacy_key"})
"""Secrets that protect. A blank one is refused: taken for one that is not set, it would protect
nothing, and its owner would believe that it does."""


class TextSettings(BaseSettings):
    """Settings out of variables, each without the white space around it."""

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in given.items()
            if name in PROTECTIVE_SECRETS or not _is_blank(value)
        }

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        text = strip_invisible(value)
        if not text:
            raise ValueError("it is blank. Put the secret in its place, or remove the variable")
        if fault := text_problem(text):
            raise ValueError(fault)
        return text


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not strip_invisible(value)
