"""The promises of the product that hold in every run, whatever fails.

The simulation and both chaos tests check them with `check`. Each invariant yields its violations as
sentences. It reads the product's tables by SQL, on both databases, and compares them with the
evidence: what the callers, the vendors and the receivers of the run have recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.invariants.callbacks import (
    callbacks_are_of_the_one_who_asked,
    callbacks_are_signed,
    callbacks_are_tried_three_times_at_most,
    callbacks_fit_the_contract,
    no_callback_is_given_up_early,
)
from tests.support.invariants.credits import (
    budgets_and_caps_are_kept,
    credits_are_conserved,
    no_balance_is_negative,
)
from tests.support.invariants.jobs import a_job_has_one_worker, everything_has_ended
from tests.support.invariants.lookups import (
    an_answer_is_waited_for,
    an_outage_is_waited_for,
    an_unknown_outcome_is_unknown,
    answers_are_of_the_one_who_asked,
    no_miss_stands_for_an_outage,
    no_question_is_paid_twice,
    no_vendor_is_paid_twice,
)
from tests.support.invariants.privacy import (
    no_file_has_an_erased_text,
    nothing_is_left_of_the_erased,
    the_suppressed_are_not_given_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from tests.support.invariants.evidence import Evidence

    Invariant: TypeAlias = Callable[[Evidence], Iterator[str]]

ALWAYS: Sequence[Invariant] = (
    credits_are_conserved,
    no_balance_is_negative,
    no_vendor_is_paid_twice,
    no_question_is_paid_twice,
    an_unknown_outcome_is_unknown,
    no_miss_stands_for_an_outage,
    an_outage_is_waited_for,
    an_answer_is_waited_for,
    a_job_has_one_worker,
    answers_are_of_the_one_who_asked,
    the_suppressed_are_not_given_out,
    nothing_is_left_of_the_erased,
    callbacks_are_tried_three_times_at_most,
    callbacks_are_signed,
    callbacks_are_of_the_one_who_asked,
    budgets_and_caps_are_kept,
)
"""The invariants that hold after each step of a run."""
AT_THE_END: Sequence[Invariant] = (
    *ALWAYS,
    no_file_has_an_erased_text,
    everything_has_ended,
    no_callback_is_given_up_early,
    callbacks_fit_the_contract,
)
"""The invariants that hold once faults have stopped and all requests and jobs have ended."""


class Violated(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, violations: Sequence[str]) -> None:
        super().__init__(f"{invariant}: " + "; ".join(violations))
        self.invariant = invariant
        """The name of the invariant."""
        self.violations = violations
        """A sentence for each violation."""


def check(evidence: Evidence, invariants: Iterable[Invariant] = ALWAYS) -> None:
    """Raise `Violated` for the first of these invariants that does not hold."""
    for invariant in invariants:
        if violations := list(invariant(evidence)):
            raise Violated(invariant.__name__, violations)
