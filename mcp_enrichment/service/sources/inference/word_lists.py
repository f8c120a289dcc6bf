"""Words in names of people and companies that are not part of an address."""
# ruff: noqa: RUF001 - letters of other scripts are meant

from __future__ import annotations


def _listed(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


TITLES = _listed(
    "dr prof professor mr mrs ms miss mx sir dame ing mag dipl hon rev fr herr frau mme mlle sr",
    "sra jr snr jnr ii iii iv phd md mba msc bsc ma ba cpa cfa pmp cissp llm llb jd rn pe esq dds",
)
"""Titles and suffixes of names."""
PARTICLES = _listed(
    "van von der den de del della di da do dos das du la le lo los las el al bin bint ibn ben ter",
    "ten te zu zum zur vom af av st",
)
"""Particles of family names, which some companies leave out."""
SHORTENED = _listed(
    "abigail albert alexander alexandra alfred andrew anthony barbara benjamin bernard bradley",
    "catherine charles christina christine christopher daniel david deborah donald douglas edward",
    "elizabeth eugene frances francis franklin frederick gabriel geoffrey gerald gregory harold",
    "jacob jacqueline james jeffrey jennifer jessica johannes john jonathan joseph joshua judith",
    "katherine kathleen kenneth kimberly lawrence leonard margaret matthew michael mitchell",
    "nathaniel nicholas patricia patrick peter philip phillip raymond rebecca richard robert",
    "ronald samantha samuel stephanie stephen steven susan suzanne theodore thomas timothy",
    "victoria vincent walter william zachary alejandro francisco guillermo jose maximilian",
    "sebastian",
)
"""Given names that are often shortened."""
LEGAL_FORMS = _listed(
    "inc incorporated corp corporation co company llc llp lp ltd limited plc pty gmbh mbh ag kg ug",
    "ohg se sa sarl sas srl spa snc bv nv vof oy oyj ab as asa aps kft zrt doo sro spzoo pte pvt",
    "kk eurl sl slu lda ltda eood ooo oao zao ооо оао зао пао αε ae aş",
)
"""Legal forms of companies, without dots."""
NO_COMPANY = frozenset(
    (
        *("freelance", "freelancer", "self employed", "selfemployed", "independent", "consultant"),
        *("independent consultant", "stealth", "stealth startup", "stealth mode", "retired"),
        *("student", "unemployed", "none", "private", "confidential", "various", "own company"),
        *("selbständig", "selbstständig", "freiberuflich", "freiberufler", "privat", "rentner"),
        *("indépendant", "indépendante", "auto entrepreneur", "retraité", "étudiant", "autónomo"),
        *("autonomo", "jubilado", "libero professionista", "zzp", "zelfstandig"),
    )
)
"""Values in place of a company. Others with the same value are not colleagues."""
