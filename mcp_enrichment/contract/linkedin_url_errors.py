"""Why a text is no profile URL, and what to paste instead.

The sentences are fixed and contain nothing of the text.
"""

from __future__ import annotations

from mcp_enrichment.contract.explanation import NOTHING_SENT, ExplainedEnum, Explanation

_PASTE = "paste one of the form https://www.linkedin.com/in/<username>."
_COPY = "open the person's public profile and copy the address, which contains /in/, from there."


class URLProblem(ExplainedEnum):
    """The problem of the text, with its sentence: what is wrong, and what to paste instead."""

    EMPTY = "empty", f"There is no URL; {_PASTE}"
    TOO_LONG = "too-long", f"That is too long to be one profile URL; {_PASTE}"
    BAD_CHARS = (
        "bad-chars",
        "The URL holds a space, an invisible character, a backslash or another character that no "
        f"URL may hold; {_PASTE}",
    )
    SCHEME = "scheme", f"The URL is neither http nor https; {_PASTE}"
    USERINFO = "userinfo", f"The URL has a user name or an e-mail address in it; {_PASTE}"
    HOST = "host", f"The URL is not on linkedin.com; {_PASTE}"
    PORT = "port", f"The URL asks for an unusual port; {_PASTE}"
    NOT_A_PROFILE = "not-a-profile", f"The URL is on LinkedIn but names no profile; {_COPY}"
    NOT_A_PERSON = "not-a-person", f"The URL is on LinkedIn but is not that of a person; {_COPY}"
    SALES_NAVIGATOR = "sales-navigator", f"The URL is one of Sales Navigator; {_COPY}"
    RECRUITER = "recruiter", f"The URL is one of LinkedIn Recruiter; {_COPY}"
    OPAQUE_MEMBER_ID = (
        "opaque-member-id",
        f"The URL holds an internal member id instead of a name; {_COPY}",
    )
    BAD_PUB = "bad-pub", f"The URL is not a complete /pub/ address of one person; {_COPY}"
    EMPTY_SLUG = "empty-slug", f"The URL ends before the name of the profile; {_PASTE}"
    SLUG_LENGTH = "slug-length", f"The name after /in/ does not have 3 to 100 characters; {_COPY}"
    SLUG_CHARS = "slug-chars", f"The name after /in/ is not one that LinkedIn gives; {_COPY}"


class ProfileURLError(ValueError):
    """The text is not the URL of one person's profile."""

    def __init__(self, kind: URLProblem) -> None:
        super().__init__(kind)
        self.kind = kind

    @property
    def advice(self) -> str:
        """The problem and what to paste instead."""
        return self.kind.text

    @property
    def explanation(self) -> Explanation:
        """The same as an explanation."""
        return Explanation(
            happened=self.advice,
            money=NOTHING_SENT,
            for_person="Correct it and try again.",
            for_assistant="Correct it, or ask the user for the profile's URL.",
        )

    def __str__(self) -> str:
        return self.advice


def require(condition: object, problem: URLProblem) -> None:
    """Raise `ProfileURLError` unless the condition is true."""
    if not condition:
        raise ProfileURLError(problem)
