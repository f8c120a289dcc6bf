"""Why a text is no profile URL, and what to paste instead.

The sentences are fixed and contain nothing of the text.
"""

from __future__ import annotations

from enum import StrEnum

from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation


class URLProblem(StrEnum):
    """The problem of the text."""

    EMPTY = "empty"
    """Nothing but white space."""
    TOO_LONG = "too-long"
    """Longer than any profile URL can be."""
    BAD_CHARS = "bad-chars"
    """A character that no URL may hold, such as a space, a control or a backslash."""
    SCHEME = "scheme"
    """Neither http nor https."""
    USERINFO = "userinfo"
    """A user name, a password or an e-mail address before the host."""
    HOST = "host"
    """Not linkedin.com or one of its country and mobile hosts."""
    PORT = "port"
    """Another port than the scheme's own."""
    NOT_A_PROFILE = "not-a-profile"
    """A page of LinkedIn whose path names no person."""
    NOT_A_PERSON = "not-a-person"
    """A page of a company, a school, a job, a post, a group or the like."""
    SALES_NAVIGATOR = "sales-navigator"
    """A person, but by an id that only Sales Navigator can resolve."""
    RECRUITER = "recruiter"
    """A person, but by an id that only LinkedIn Recruiter can resolve."""
    OPAQUE_MEMBER_ID = "opaque-member-id"
    """A person, but by an internal id that only LinkedIn can resolve."""
    BAD_PUB = "bad-pub"
    """An old /pub/ address without its three numbers, or the /pub/dir/ directory."""
    EMPTY_SLUG = "empty-slug"
    """Nothing after /in/."""
    SLUG_LENGTH = "slug-length"
    """A profile name shorter or longer than LinkedIn allows."""
    SLUG_CHARS = "slug-chars"
    """A profile name with a broken escape or a character that LinkedIn never puts in one."""


_PASTE = "paste one of the form https://www.linkedin.com/in/<username>."
_COPY = "open the person's public profile and copy the address, which contains /in/, from there."

ADVICE = {
    URLProblem.EMPTY: f"There is no URL; {_PASTE}",
    URLProblem.TOO_LONG: f"That is too long to be one profile URL; {_PASTE}",
    URLProblem.BAD_CHARS: (
        "The URL holds a space, an invisible character, a backslash or another character that no "
        f"URL may hold; {_PASTE}"
    ),
    URLProblem.SCHEME: f"The URL is neither http nor https; {_PASTE}",
    URLProblem.USERINFO: f"The URL has a user name or an e-mail address in it; {_PASTE}",
    URLProblem.HOST: f"The URL is not on linkedin.com; {_PASTE}",
    URLProblem.PORT: f"The URL asks for an unusual port; {_PASTE}",
    URLProblem.NOT_A_PROFILE: f"The URL is on LinkedIn but names no profile; {_COPY}",
    URLProblem.NOT_A_PERSON: f"The URL is on LinkedIn but is not that of a person; {_COPY}",
    URLProblem.SALES_NAVIGATOR: f"The URL is one of Sales Navigator; {_COPY}",
    URLProblem.RECRUITER: f"The URL is one of LinkedIn Recruiter; {_COPY}",
    URLProblem.OPAQUE_MEMBER_ID: f"The URL holds an internal member id instead of a name; {_COPY}",
    URLProblem.BAD_PUB: f"The URL is not a complete /pub/ address of one person; {_COPY}",
    URLProblem.EMPTY_SLUG: f"The URL ends before the name of the profile; {_PASTE}",
    URLProblem.SLUG_LENGTH: f"The name after /in/ does not have 3 to 100 characters; {_COPY}",
    URLProblem.SLUG_CHARS: f"The name after /in/ is not one that LinkedIn gives; {_COPY}",
}


class ProfileURLError(ValueError):
    """The text is not the URL of one person's profile."""

    def __init__(self, kind: URLProblem) -> None:
        super().__init__(kind)
        self.kind = kind

    @property
    def advice(self) -> str:
        """The problem and what to paste instead."""
        return ADVICE[self.kind]

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
