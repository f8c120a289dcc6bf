"""Generated companies, and people with addresses in the patterns that companies use, with noise."""
# ruff: noqa: RUF001 - letters of other scripts are meant

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.inference.names import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST = """
Ada Grace Jonas Chloé Łukasz Tomás Ayşe Jürgen Björn Søren Åsa Zoë José María Anna Robert
William Elizabeth Michael Thomas Katherine Daniel Samuel Olivia Emma Noah Liam Mia Lena Paul
Jean-Paul Marie-Claire Hans-Peter Zeynep Omar Layla Ravi Priya Mei Wei Kenji Yuki Carlos Lucía
Иван Олена Νίκος 伟 민준 さくら Dmitri Irina Peter Julia Simon Clara Victor Nadia Felix Ruth
"""
LAST = """
Okafor Weiß Lindqvist Fernández Lefèvre Żółkiewski Yıldırım Müller Jäger Schröder Sørensen
Ångström Smith Johnson Brown Miller Davis Garcia Martinez Wilson Anderson Taylor Moore Jackson
Martin Lee Thompson White Harris Clark Lewis Walker Hall Allen Young King Wright Scott Green
Baker Adams Nelson Hill Campbell Mitchell Roberts Carter Phillips Evans Turner Parker Collins
Dubois Moreau Rossi Bianchi Novak Horvat Kowalska Nowak Silva Santos Costa Chen Wang Zhang Kim
Park Tanaka Sato Patel Sharma Khan Соколов Шевчук Παπαδάκης 张 김 田中 O'Brien Smith-Jones
"""
MORE_LAST = (
    "van der Berg",
    "de la Cruz",
    "von Neumann",
    "García Márquez",
    "bin Rashid",
    "Di Marco",
)
NICKNAMES = {
    "Robert": "bob", "William": "bill", "Elizabeth": "liz", "Michael": "mike", "Thomas": "tom",
    "Katherine": "kate", "Daniel": "dan", "Samuel": "sam",
}  # fmt: skip
LATIN = {
    "Иван": "ivan", "Олена": "olena", "Νίκος": "nikos", "伟": "wei", "민준": "minjun",
    "さくら": "sakura", "Соколов": "sokolov", "Шевчук": "shevchuk", "Παπαδάκης": "papadakis",
    "张": "zhang", "김": "kim", "田中": "tanaka",
}  # fmt: skip
STRICTNESS = (0.2, 1, 3)
"""Factors of noise for companies: of ten, five have the first, three the second, two the third."""
PLAIN = str.maketrans("éáíóúèçñüöäøåşŁłŻżŚśğıëÅ", "eaiouecnuoaoasllzzssgieA".lower(), "'’")
GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "Å": "aa"}
FORMS: dict[str, tuple[int, Callable[[str, str], str]]] = {
    "first.last": (50, lambda first, last: f"{first}.{last}"),
    "flast": (20, lambda first, last: first[0] + last),
    "first": (12, lambda first, _last: first),
    "f.last": (6, lambda first, last: f"{first[0]}.{last}"),
    "firstlast": (4, lambda first, last: first + last),
    "first_last": (3, lambda first, last: f"{first}_{last}"),
    "firstl": (3, lambda first, last: first + last[0]),
    "last.first": (2, lambda first, last: f"{last}.{first}"),
    "lastf": (2, lambda first, last: last + first[0]),
    "last": (2, lambda _first, last: last),
    "fl": (1, lambda first, last: first[0] + last[0]),
}


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The shares of addresses that differ from the pattern of their company."""

    elsewhere: float = 0.02
    """The person has changed companies, and the address is the old one."""
    nickname: float = 0.3
    """A share of the people whose first name has a nickname."""
    number: float = 0.01
    alias: float = 0.01

    def times(self, factor: float) -> Noise:
        """Multiply each share by this factor, up to 1."""
        return Noise(**{kind: min(1, much * factor) for kind, much in asdict(self).items()})


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person at a generated company."""

    name: Name
    company: str
    email: str


class Company:
    """A company with one address pattern; it gives each address to one person only."""

    def __init__(self, number: int, chance: random.Random, noise: Noise) -> None:
        self.name, self._chance = f"Company {number} Ltd", chance
        self.domains = [f"company{number}.example"]
        if chance.random() < 0.05:
            self.domains.append(f"company{number}-group.example")
        weights = [weight for weight, _ in FORMS.values()]
        self._form = chance.choices([form for _, form in FORMS.values()], weights)[0]
        self._german = chance.random() < 0.3
        self._joint = chance.choice(["", "", "-"])
        self._bare = chance.random() < 0.3
        self.noise = noise.times(chance.choices(STRICTNESS, [5, 3, 2])[0])
        self._taken: set[str] = set()

    def address_of(self, first: str, last: str) -> str:
        """Create an address for a new person."""
        chance, noise = self._chance, self.noise
        given = self._letters(first)
        if first in NICKNAMES and chance.random() < noise.nickname:
            given = NICKNAMES[first]
        local = self._form(given, self._letters(self._family(last)))
        if chance.random() < noise.alias:
            local = chance.choice(["the", "hello-", "dr"]) + given
        if chance.random() < noise.number:
            local += str(chance.randint(1, 99))
        while local in self._taken:
            local += str(chance.randint(2, 9))
        self._taken.add(local)
        return f"{local}@{chance.choices(self.domains, [9, 1][: len(self.domains)])[0]}"

    def _family(self, last: str) -> str:
        return last.rpartition(" ")[2] if self._bare else last

    def _letters(self, name: str) -> str:
        words = LATIN.get(name, name).replace("-", " ").lower()
        if self._german:
            words = "".join(GERMAN.get(c, c) for c in words)
        return self._joint.join(words.replace("ß", "ss").translate(PLAIN).split())


def people(companies: int, seed: int, noise: Noise) -> Iterator[Person]:
    """The people of this many companies: most companies have few people, some have many."""
    chance = random.Random(seed)  # noqa: S311 - the same companies at each run
    all_of_them = [Company(number, chance, noise) for number in range(companies)]
    first_names, last_names = FIRST.split(), [*LAST.split(), *MORE_LAST]
    for company in all_of_them:
        for _ in range(min(int(chance.paretovariate(0.9) * 3), 300)):
            first, last = chance.choice(first_names), chance.choice(last_names)
            writes_from = (
                chance.choice(all_of_them) if chance.random() < company.noise.elsewhere else company
            )
            email = writes_from.address_of(first, last)
            yield Person(name=told(first, last, chance), company=company.name, email=email)


def told(first: str, last: str, chance: random.Random) -> Name:
    """A name as people write it on their profile."""
    if chance.random() < 0.05:
        first = f"Dr. {first}"
    if chance.random() < 0.05:
        first = f"{first} {chance.choice('ABCDEFG')}."
    if chance.random() < 0.05:
        last = f"{last}, {chance.choice(['PhD', 'MBA', 'PMP'])}"
    return Name(first, last)
