"""The report counts the addresses that inference would have offered. No address is offered of a
kind that was wrong too often or seldom tried."""

from __future__ import annotations

from collections import Counter

from mcp_enrichment.service.sources.inference.accuracy import (
    Accuracy,
    InferenceKind,
    Tally,
    company_domain,
    inference_kind,
    leave_one_out,
)
from mcp_enrichment.service.sources.inference.names import Name
from mcp_enrichment.service.sources.inference.pattern_learning import DomainPatterns, KnownAddress
from tests.support.company_staff import NAMES

CYRILLIC = [("Петров", "petrov"), ("Попов", "popov"), ("Иванов", "ivanov")]
ALL, MOST = "all agree", "8 of 10 agree"


def figures(**tallies: Tally) -> Accuracy:
    """Accuracy with these tallies, named `pattern__level`."""
    names = {name: name.split("__") for name in tallies}
    return Accuracy(
        tallies={
            InferenceKind(p, {"all": ALL, "most": MOST}[lv]): tallies[n]
            for n, (p, lv) in names.items()
        }
    )


def people(number: int, company: str = "lumen") -> list[KnownAddress]:
    return [KnownAddress(Name(f, s), company, f"{f}.{s}".lower()) for f, s in NAMES[:number]]


def test_a_level_is_offered_from_95_right_of_100() -> None:
    precise = figures(first__all=Tally(100, 95), first__most=Tally(100, 94))
    assert precise.offers(InferenceKind("first", ALL))
    assert not precise.offers(InferenceKind("first", MOST))
    assert precise.offered() == Tally(100, 95)


def test_a_level_that_was_hardly_tried_is_not_offered() -> None:
    assert not figures(first__all=Tally(49, 49)).offers(InferenceKind("first", ALL))
    assert figures(first__all=Tally(50, 50)).offers(InferenceKind("first", ALL))
    assert not Accuracy().offers(InferenceKind("first", ALL))


def test_a_pattern_that_is_wrong_too_often_is_left_out() -> None:
    two = figures(first__all=Tally(10, 9), last__all=Tally(190, 190))
    assert not two.offers(InferenceKind("first", ALL))
    assert two.offers(InferenceKind("last", ALL))
    assert two.offers(InferenceKind("flast", ALL))
    assert two.offered() == Tally(190, 190)


def test_names_that_leave_more_open_are_judged_apart_from_plain_ones() -> None:
    umlauts = [
        KnownAddress(Name(f, "Müller"), "lumen", f"{f}.mueller".lower()) for f, _ in NAMES[:4]
    ]
    cyrillic = [KnownAddress(Name("Иван", s), "lumen", f"ivan.{r}") for s, r in CYRILLIC]
    learned = DomainPatterns([*people(40), *umlauts, *cyrillic])
    told = Counter(inference_kind(found).level for _, found in learned.leave_one_out() if found)
    assert told == {
        "all agree": 40,
        "all agree, a name with several spellings": 4,
        "all agree, a name in another script": 3,
    }


def test_a_stored_accuracy_is_read_unless_it_is_of_another_version() -> None:
    told = leave_one_out([("a.example", people(9))], {"lumen": Counter({"a.example": 9})}, dict)
    assert Accuracy.read(told.to_json()) == told
    assert told.by_pattern() == {"first.last": Tally()}
    assert Accuracy.read(told.to_json() | {"v": 0}) is None


def test_a_person_with_an_address_at_another_domain_counts_as_wrong() -> None:
    moved = KnownAddress(Name("Olivia", "Park"), "lumen", "olivia.park")
    domains = {"a.example": people(40), "b.example": [moved]}
    companies = {"lumen": Counter({"a.example": 40, "b.example": 1})}
    told = leave_one_out(domains.items(), companies, domains.__getitem__)
    assert (told.known, told.by_level()[ALL]) == (41, Tally(41, 40))
    assert told.domains == {"first.last": 1}


def test_the_domain_of_a_company_is_known_by_two_people_and_eight_of_ten() -> None:
    assert company_domain({"a.example": 1}) is None
    assert company_domain({"a.example": 2}) == "a.example"
    assert company_domain({"a.example": 8, "b.example": 2}) == "a.example"
    assert company_domain({"a.example": 7, "b.example": 2}) is None
