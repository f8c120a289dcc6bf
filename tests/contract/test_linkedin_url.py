from __future__ import annotations

import json
import pickle
from pathlib import Path
from unicodedata import category, normalize
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mcp_enrichment.contract.linkedin_url import ProfileURLError, URLProblem, canonical_profile_url

HOME = "https://www.linkedin.com/in/"
CASES = json.loads((Path(__file__).parent / "profile_urls.json").read_text("utf-8"))["cases"]
WIZARD = "👩🏽\u200d💻-ann"

ACCEPTED = [
    # origin
    ("HTTPS://WWW.LINKEDIN.COM/IN/ABC", "abc"),
    ("https://www.linkedin.com:443/in/abc", "abc"),
    ("http://www.linkedin.com:80/in/abc", "abc"),
    ("https://www.linkedin.com:/in/abc", "abc"),
    ("linkedin.com:443/in/abc", "abc"),
    ("https://zz.linkedin.com/in/abc", "abc"),
    ("https://www.linkedin.cn/in/abc", "abc"),
    ("linkedin.cn/incareer/in/abc", "abc"),
    ("https://m.linkedin.com/in/abc", "abc"),
    ("https://mobile.linkedin.com/in/abc", "abc"),
    # text around a pasted address
    ("<https://www.linkedin.com/in/abc>", "abc"),
    ('"https://www.linkedin.com/in/abc"', "abc"),
    ("'https://www.linkedin.com/in/o'neil'", "o%27neil"),
    ("\u201chttps://www.linkedin.com/in/abc \u201d", "abc"),
    ("\ufeffhttps://www.linkedin.com/in/abc\u200b\u00a0", "abc"),
    ("<https://www.linkedin.com/in/abc|Ada Okafor>", "abc"),
    # a whole address behind the beginning of another one
    (f"{HOME}www.linkedin.com/in/abc", "abc"),
    (f"{HOME}linkedin.com/in/abc/", "abc"),
    (f"{HOME}de.linkedin.com/in/abc/de", "abc"),
    (f"{HOME}https://www.linkedin.com/in/abc?trk=x", "abc"),
    (f"{HOME}http:/linkedin.com/pub/abdi-ahmed/100/384/6b0", "abdi-ahmed-6b0384100"),
    (f"{HOME}pub/abdi-ahmed/100/384/6b0", "abdi-ahmed-6b0384100"),
    (f"{HOME}in/abc", "abc"),
    # paths
    ("https://www.linkedin.com/m/in/abc/", "abc"),
    ("https://www.linkedin.com/comm/in/abc?midToken=x", "abc"),
    ("https://www.linkedin.com/in/abc/recent-activity/all/", "abc"),
    ("https://www.linkedin.com/in/abc#experience", "abc"),
    ('https://www.linkedin.com/in/abc?q={"a":<1>}|\\&x=/../', "abc"),
    ("https://www.linkedin.com/in/abc//", "abc"),
    ("https://www.linkedin.com/in/abc/%zz", "abc"),
    ("https://uk.linkedin.com/pub/abdi-ahmed/100/384/6b0", "abdi-ahmed-6b0384100"),
    ("in.linkedin.com/Pub/First-Second/05/25/86", "first-second-08602505"),
    ("https://www.linkedin.com/pub/jos%C3%A9/1/2/3?trk=x", "jos%C3%A9-0030021"),
    # names
    (f"{HOME}{'é' * 100}", "%C3%A9" * 100),
    (f"{HOME}{'💻' * 100}", "%F0%9F%92%BB" * 100),
    (f"{HOME}{WIZARD}", quote(WIZARD)),
    (f"{HOME}acoaa-smith", "acoaa-smith"),
    (f"{HOME}ACOAA-SMITH", "acoaa-smith"),
    (f"{HOME}o'neil.jr", "o%27neil.jr"),
    (f"{HOME}%61b%63", "abc"),
    (f"{HOME}İpek", "i%CC%87pek"),
    (f"{HOME}\u212bsa", "%C3%A5sa"),
    (f"{HOME}ann-\ue000", "ann-%EE%80%80"),
    (f"{HOME}नमस्ते", quote("नमस्ते")),
    # typographic punctuation, and characters that are invisible but part of the URL
    (f"{HOME}d\u2019arcy-example", quote("d\u2019arcy-example")),
    (f"{HOME}ada-“ace”-okafor", quote("ada-“ace”-okafor")),
    (f"{HOME}ada-okafor-“ace”", quote("ada-okafor-“ace”")),
    (f"{HOME}ada~okafor", "ada~okafor"),
    (f"{HOME}ada\u00b4s-example", quote("ada\u00b4s-example")),
    (f"{HOME}ada-⧗-example", quote("ada-⧗-example")),
    (f"{HOME}gal·la-example", quote("gal·la-example")),
    (f"{HOME}ada\u2013example", quote("ada\u2013example")),
    (f"{HOME}アダ・例", quote("アダ・例")),
    (f"{HOME}ada%E2%80%8Bexample", "ada%E2%80%8Bexample"),
    (f"{HOME}ada-example%E2%80%8E", "ada-example%E2%80%8E"),
    (f"{HOME}abc%E2%80%8Ddef", "abc%E2%80%8Ddef"),
    (f"{HOME}%EF%BB%BFada", "%EF%BB%BFada"),
    (f"{HOME}ada%C2%ADexample", "ada%C2%ADexample"),
    (f"{HOME}\U0001fae8\U0001fa77\U0001f3fd", quote("\U0001fae8\U0001fa77\U0001f3fd")),
]

REFUSED = [
    ('""', "empty"),
    ("'", "empty"),
    ("\ufeff", "empty"),
    ("a" * 1_000_000, "too-long"),
    ("https://www.linkedin.com/in/abc?x=" + "%" * 2048, "too-long"),
    # characters
    ("https://www.linkedin.com/in/abc\x00", "bad-chars"),
    ("https://www.linkedin.com/in/abc\udc80", "bad-chars"),
    ("https://www.linkedin.com/in/abc\u202edef", "bad-chars"),
    ("https://www.linkedin.com/in/abc\u200bdef", "bad-chars"),
    ("https:\\\\www.linkedin.com\\in\\abc", "bad-chars"),
    ("https://www.linkedin.com\\@evil.com/in/abc", "bad-chars"),
    ("https://www.linkedin.com/in/a<script>", "bad-chars"),
    ("https://www.linkedin.com/in/abc?x=1\nhttps://www.linkedin.com/in/def", "bad-chars"),
    ("<https://www.linkedin.com/in/abc", "bad-chars"),
    # origin
    ("ftp://www.linkedin.com/in/abc", "scheme"),
    ("javascript:alert(1)", "scheme"),
    ("mailto:ann@linkedin.com", "scheme"),
    ("linkedin://in/abc", "scheme"),
    ("ann@linkedin.com", "userinfo"),
    ("https://www.linkedin.com@evil.com/in/abc", "userinfo"),
    ("https://evil.com/www.linkedin.com/in/abc", "host"),
    ("https://[::1]/in/abc", "host"),
    ("https://[/in/abc", "host"),
    ("https:/www.linkedin.com/in/abc", "host"),
    ("https:///in/abc", "host"),
    ("https://www.\uff4cinkedin.com/in/abc", "host"),
    ("https://www.lin\u212aedin.com/in/abc", "host"),
    ("https://www.linkedin%2Ecom/in/abc", "host"),
    ("https://www.linkedin\u3002com/in/abc", "host"),
    ("https://www.linkedin.com\u2100/in/abc", "host"),
    ("https://www.linkedin.com../in/abc", "host"),
    ("https://business.linkedin.com/in/abc", "host"),
    ("https://evil.com:99999/in/abc", "host"),
    ("https://www.linkedin.com:99999/in/abc", "port"),
    ("https://www.linkedin.com:80/in/abc", "port"),
    ("https://www.linkedin.com:-1/in/abc", "port"),
    ("https://www.linkedin.com:\uff14\uff14\uff13/in/abc", "port"),
    # pages
    ("https://www.linkedin.com", "not-a-profile"),
    ("https://www.linkedin.com/", "not-a-profile"),
    ("https://www.linkedin.com?x=/in/abc", "not-a-profile"),
    ("https://www.linkedin.com/profile/view?id=107523146", "not-a-profile"),
    ("https://www.linkedin.com/login", "not-a-profile"),
    ("https://www.linkedin.com/in/one/../two", "not-a-profile"),
    ("https://www.linkedin.com/in/one/%2E./two", "not-a-profile"),
    ("https://www.linkedin.com/Company/acme", "not-a-person"),
    ("https://www.linkedin.com/pulse/title-ann-smith", "not-a-person"),
    ("https://www.linkedin.com/sales", "sales-navigator"),
    ("https://www.linkedin.com/Talent/search", "recruiter"),
    ("https://www.linkedin.com/pub/dir/Ann/Smith", "bad-pub"),
    ("https://www.linkedin.com/pub/dir/1/2/3", "bad-pub"),
    ("https://www.linkedin.com/pub/ann/1/2/3/4", "bad-pub"),
    ("https://www.linkedin.com/pub/ann/1/2/3456", "bad-pub"),
    ("https://www.linkedin.com/pub", "bad-pub"),
    # names
    ("https://www.linkedin.com/mwlite/in/", "empty-slug"),
    ("https://www.linkedin.com/in/me", "slug-length"),
    ("https://www.linkedin.com/in/pub", "bad-pub"),
    ("https://www.linkedin.com/in/pub/", "bad-pub"),
    ("https://www.linkedin.com/in/PUB?x=1", "bad-pub"),
    ("https://www.linkedin.com/in/pub/details/experience", "bad-pub"),
    ("https://www.linkedin.com/in/in", "empty-slug"),
    ("https://www.linkedin.com/in/linkedin.com", "slug-chars"),
    ("https://www.linkedin.com/in/www.linkedin.com/company/acme", "not-a-person"),
    ("https://www.linkedin.com/in/www.example.com", "slug-chars"),
    ("linkedin.com/in/adalinkedin.com/in/bob", "slug-chars"),
    ("https://www.linkedin.com/in/ada/https://www.linkedin.com/in/bob", "not-a-profile"),
    ("https://www.linkedin.com/in/ada/www.linkedin.com/in/bob", "not-a-profile"),
    ("https://www.linkedin.com/in/ada/in/bob", "not-a-profile"),
    ("https://www.linkedin.com/in/adahttps://www.linkedin.com/in/bob", "slug-chars"),
    ("https://www.linkedin.com/in/https%3A%2F%2Fwww.linkedin.com%2Fin%2Fabc", "slug-chars"),
    # text that a sentence puts behind an address
    ("https://www.linkedin.com/in/abc.", "slug-chars"),
    ("https://www.linkedin.com/in/abc'", "slug-chars"),
    ("https://www.linkedin.com/in/abc,", "slug-chars"),
    ("https://www.linkedin.com/in/abc\u2019", "slug-chars"),
    ("https://www.linkedin.com/in/abc\u201d", "slug-chars"),
    ("https://www.linkedin.com/in/abc\u3002", "slug-chars"),
    ("https://www.linkedin.com/in/abc/.", "not-a-profile"),
    ("https://www.linkedin.com/in/abc%2E", "slug-chars"),
    ("https://www.linkedin.com/in/abc\uff0cdef", "slug-chars"),
    ("https://www.linkedin.com/in/abc\u2044def", "slug-chars"),
    ("https://www.linkedin.cn.example/in/abc", "host"),
    ("https://www.linkedin.com/in/e\u0301e\u0301", "slug-length"),
    ("https://www.linkedin.com/in/ACoAA%41BBB", "opaque-member-id"),
    ("https://www.linkedin.com/in/abc%zz", "slug-chars"),
    ("https://www.linkedin.com/in/abc%", "slug-chars"),
    ("https://www.linkedin.com/in/abc%C3", "slug-chars"),
    ("https://www.linkedin.com/in/abc%C3é", "slug-chars"),
    ("https://www.linkedin.com/in/abc%ED%A0%80", "slug-chars"),
    ("https://www.linkedin.com/in/abc%2541", "slug-chars"),
    ("https://www.linkedin.com/in/abc%00", "slug-chars"),
    ("https://www.linkedin.com/in/abc%5Cdef", "slug-chars"),
    ("https://www.linkedin.com/in/abc;jsessionid=1", "slug-chars"),
    ("https://www.linkedin.com/in/abc,https://www.linkedin.com/in/def", "slug-chars"),
    ("https://www.linkedin.com/in/abc\uff0fdef", "slug-chars"),
    ("https://www.linkedin.com/in/abc\u200ddef", "bad-chars"),
    ("https://www.linkedin.com/in/\u0301\u0301\u0301", "slug-chars"),
    ("https://www.linkedin.com/in/...", "slug-chars"),
    ("https://www.linkedin.com/pub/a%2Fb/1/2/3", "slug-chars"),
]


def outcome(text: str) -> str:
    try:
        return canonical_profile_url(text)
    except ProfileURLError as refusal:
        return refusal.kind


def is_likely_naming(char: str) -> bool:
    return category(char)[0] in "LN" or category(char) in {"So", "Co"}


origins = ["https:", "//", "http://", "www.", "linkedin.com", ":443", "@", "[", "\\", "%"]
paths = ["/in/", "/pub/", "/1/2/3", "/m", "abc", "..", "ACoAA", "%C3", "%2F", "%", ";", "?", "#"]
letters = ["é", "e\u0301", "İ", "Σ", "\u200d", "💻", "\ud800", "\u0323"]
names = st.text(st.characters().filter(is_likely_naming), min_size=3, max_size=30)
pasted = st.one_of(
    st.text(st.characters()),
    st.lists(st.sampled_from(origins + paths + letters), max_size=12).map("".join),
    st.lists(st.sampled_from(paths + letters), max_size=12).map(lambda some: HOME + "".join(some)),
    names.map(HOME.__add__),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["input"])[:80])
def test_the_contract_says_which_urls_name_a_person(case: dict[str, str]) -> None:
    assert outcome(case["input"]) == case.get("canonical", case.get("error"))


@pytest.mark.parametrize(("text", "slug"), ACCEPTED, ids=lambda value: ascii(value)[:80])
def test_an_unambiguous_url_is_taken_however_it_was_copied(text: str, slug: str) -> None:
    assert outcome(text) == HOME + slug


@pytest.mark.parametrize(("text", "kind"), REFUSED, ids=lambda value: ascii(value)[:80])
def test_a_doubtful_url_is_refused_with_the_reason(text: str, kind: str) -> None:
    assert outcome(text) == URLProblem(kind)


@pytest.mark.parametrize("kind", URLProblem)
def test_every_refusal_says_in_one_sentence_what_to_paste_instead(kind: URLProblem) -> None:
    refusal = pickle.loads(pickle.dumps(ProfileURLError(kind)))  # noqa: S301  # our own bytes
    assert refusal.kind is kind
    assert str(refusal) == refusal.advice == kind.text
    assert "/in/" in refusal.advice
    assert refusal.advice.endswith(".")


@given(pasted)
@example(HOME + "İ\u0323\u0331abc")
def test_any_text_ends_in_a_refusal_or_in_a_url_that_stays_as_it_is(text: str) -> None:
    result = outcome(text)
    if not isinstance(result, URLProblem):
        assert result.startswith(HOME)
        assert result.isascii()
        assert canonical_profile_url(result) == result


@given(names)
@example("İ\u0323-lu")
@example("ǅemal-Ångström-ﬁ")
def test_composed_decomposed_raw_and_encoded_spellings_are_one_person(name: str) -> None:
    raw = {name, normalize("NFC", name), normalize("NFD", name)}
    encoded = {quote(spelling) for spelling in raw}
    assert len({outcome(HOME + spelling) for spelling in raw | encoded}) == 1


@given(names)
def test_upper_and_lower_case_spellings_are_one_person(name: str) -> None:
    lower = normalize("NFC", name.lower())
    assume(lower.upper().lower() == lower)
    assert outcome(HOME + lower.upper()) == outcome(HOME + lower)


@given(st.text("acAC09-é.", max_size=8), st.sampled_from(["", "x" * 97, "ACoAAx", "acoaax"]))
def test_the_fast_path_for_plain_urls_gives_the_same_result(name: str, more: str) -> None:
    def read(text: str) -> str | URLProblem:
        try:
            return canonical_profile_url(text)
        except ProfileURLError as refusal:
            return refusal.kind

    plain = f"{HOME}{more}{name}"
    assert read(plain) == read(f"{plain}?query")
