"""An inferred address follows a pattern that others at the domain confirm, and nobody else has
it."""

from __future__ import annotations

import pytest

from mcp_enrichment.service.sources.inference.names import Name, company_key
from mcp_enrichment.service.sources.inference.pattern_learning import (
    PATTERNS,
    DomainPatterns,
    KnownAddress,
)

PEOPLE = ["Grace Hopkins", "Jonas Weber", "Tomas Silva", "Mia Laurent", "Noah Fischer"]
ADA = "Ada Okafor"


def name(whole: str) -> Name:
    first, _, last = whole.partition(" ")
    return Name(first, last)


def domain(*people: tuple[str, str]) -> DomainPatterns:
    return DomainPatterns(KnownAddress(name(whole), "lumen", local) for whole, local in people)


def formed(pattern: str, *people: str) -> list[tuple[str, str]]:
    split = (whole.lower().split() for whole in people)
    return [(whole, PATTERNS[pattern](*parts)) for whole, parts in zip(people, split, strict=True)]


def local(learned: DomainPatterns, whole: str = ADA) -> str | None:
    inference = learned.infer(name(whole))
    return inference and inference.local


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_is_learned(pattern: str) -> None:
    inference = domain(*formed(pattern, *PEOPLE)).infer(name(ADA))
    assert inference is not None
    assert inference.local == PATTERNS[pattern]("ada", "okafor")
    assert inference.evidence("example.com") == f"{pattern}, 5 of 5 at example.com"


def test_two_confirmations_are_not_enough() -> None:
    assert local(domain(*formed("flast", *PEOPLE[:2]))) is None
    assert local(domain(*formed("flast", *PEOPLE[:3]))) == "aokafor"


def test_eight_of_ten_must_agree() -> None:
    four = formed("first.last", *PEOPLE[:4])
    assert local(domain(*four, ("Omar Khan", "ok"))) == "ada.okafor"
    assert local(domain(*four, ("Omar Khan", "omar7"), ("Lena Novak", "chief"))) is None


def test_an_address_that_fits_two_patterns_confirms_neither() -> None:
    twins = [("Thomas Thomas", "thomas.thomas"), ("Kim Kim", "kim.kim"), ("Lee Lee", "lee.lee")]
    assert local(domain(*twins)) is None
    assert local(domain(*twins, *formed("last.first", *PEOPLE[:3]))) == "okafor.ada"


def test_an_address_of_another_person_is_not_inferred() -> None:
    known = formed("first", *PEOPLE[:4])
    assert local(domain(*known), "Grace Other") is None
    assert local(domain(*known), "Olivia Other") == "olivia"


def test_people_whose_names_cannot_be_used_count_neither_way() -> None:
    known = formed("first.last", *PEOPLE[:3])
    inference = domain(*known, ("Ada O.", "ada"), ("X", "x1")).infer(name("Olivia Brown"))
    assert inference is not None
    assert (inference.confirmations, inference.of) == (3, 3)


@pytest.mark.parametrize("said", ["Freelance", "Self-employed", "Indépendant", "Stealth Startup"])
def test_a_placeholder_is_not_a_company(said: str) -> None:
    assert company_key(said) == ""
    assert company_key(f"{said} Brewing Ltd") == company_key(f"{said} Brewing")


UMLAUTS = [("Jürgen Müller", "juergen.mueller"), ("Björn Jäger", "bjoern.jaeger")]


def test_an_umlaut_is_spelled_as_two_others_have_it() -> None:
    plain = formed("first.last", *PEOPLE)
    assert local(domain(*plain), "Jörg Schäfer") is None
    assert local(domain(*plain, UMLAUTS[0]), "Jörg Schäfer") is None
    assert local(domain(*plain, *UMLAUTS), "Jörg Schäfer") == "joerg.schaefer"
    other = [(whole, told.replace("ue", "u").replace("oe", "o")) for whole, told in UMLAUTS]
    mixed = domain(*plain, UMLAUTS[0], other[1])
    assert local(mixed, "Jörg Schäfer") is None
    assert local(mixed) == "ada.okafor"


def test_particles_are_kept_or_left_out_as_others_are() -> None:
    plain = formed("flast", *PEOPLE)
    kept = [("Jan van Dyke", "jvandyke"), ("Anna von Ense", "avonense")]
    left_out = [("Jan van Dyke", "jdyke"), ("Anna von Ense", "aense")]
    assert local(domain(*plain), "Piet de Vries") is None
    assert local(domain(*plain, *kept), "Piet de Vries") == "pdevries"
    assert local(domain(*plain, *left_out), "Piet de Vries") == "pvries"


def test_a_name_in_another_script_needs_two_others_of_it() -> None:
    plain = formed("first.last", *PEOPLE)
    cyrillic = [("Иван Соколов", "ivan.sokolov"), ("Ирина Новак", "irina.novak")]
    assert local(domain(*plain), "Олена Бондар") is None
    assert local(domain(*plain, *cyrillic), "Олена Бондар") == "olena.bondar"
    assert local(domain(*plain, *cyrillic), "伟 张") is None


def test_an_own_address_does_not_confirm_itself() -> None:
    known = formed("first.last", *PEOPLE[:3])
    assert [inference for _, inference in domain(*known).leave_one_out()] == [None] * 3
    told = dict(domain(*known, (ADA, "ada.okafor")).leave_one_out())
    assert {inference and inference.local == p.local for p, inference in told.items()} == {True}
    assert {inference and inference.of for inference in told.values()} == {3}


def test_two_people_with_one_address_are_not_inferred_from_each_other() -> None:
    shared = [*formed("first", *PEOPLE[:4]), ("Grace Other", "grace")]
    told = {p.name.last: i for p, i in domain(*shared).leave_one_out() if p.local == "grace"}
    assert told == {"Hopkins": None, "Other": None}
