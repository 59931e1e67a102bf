"""Takes secrets out of text and cuts it to its cap: pure functions for the recorder and the manifest writer.

Every pattern here runs in time linear in the text: repetitions are bounded, or possessive (they never give back what
they took), and what may start a match cannot also stand inside one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

MASK: Final = "[redacted]"
_WINDOW: Final = 4  # a text is redacted over this many caps before it is cut, so a secret on the edge is still seen
_NAME_CAP: Final = 128
_EDGE: Final = 256  # of a window that ends inside the text, this much may be a secret that lost its own end

_NOT_YET: Final = r"(?!\[redacted\])"
_SIGN: Final = r"\\{0,3}+['\"]?+[ \t]{0,8}+(?:=>|:=|=(?![=>])|:(?![:=])|%3d)[ \t]{0,8}+"
# A value: quoted by escaped quotes (JSON inside JSON), quoted, a quote that the text has lost the end of, or bare.
_VALUE: Final = (
    r"(?:b(?=['\"]))?+(?:\\{1,3}+['\"][^'\"\\]*+|'(?:[^'\\]|\\[\s\S])*+'|\"(?:[^\"\\]|\\[\s\S])*+\"|['\"][^\s'\"]*+"
    r"|[^\s'\"&,;)}\]]++)"
)
_WORDS: Final = (
    r"password|passwords|passwd|passphrase|passcode|secret|secrets|api[_-]?keys?|apikey|access[_-]?key(?:[_-]?id)?"
    r"|secret[_-]?key|account[_-]?key|private[_-]?key|credentials?|token|(?<![a-z0-9])(?:sig|signature|pwd(?!\s*=\s*/))"
)
_BARE: Final = r"(?<![A-Za-z0-9])"  # left of a shape that holds letters and digits only
_DASH: Final = r"(?<![A-Za-z0-9_-])"  # left of one that may hold _ and - too

# Each alternative keeps what names the secret (its group) and drops the secret. Order matters: the first match wins.
_PATTERNS: Final = (
    # scheme://user:password@host and scheme://token@host; `git@` names nobody
    r"(?P<url>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}+://)(?!git@)[^\s/'\"<>]*@",
    # Authorization: Bearer xxx, Basic xxx, token xxx; as a header, in JSON, in the repr of a dict or of a pair
    (
        r"(?P<auth>authorization\\{0,3}+"
        r"(?:['\"][ \t]{0,4}+,|['\"]?+[ \t]{0,4}+[:=])[ \t]{0,4}+(?:b(?=['\"]))?+\\{0,3}+['\"]?+"
        rf"(?:(?:bearer|basic|token|digest|apikey|negotiate)[ \t]{{1,8}}+)?+){_NOT_YET}[^\s'\",;\\]++"
    ),
    (
        r"(?P<cookie>cookie(?:['\"][ \t]{0,4}+,|['\"]?+[ \t]{0,4}+:)[ \t]{0,4}+(?:b(?=['\"]))?+['\"]?+)"
        rf"{_NOT_YET}[^\r\n'\"]++"
    ),
    rf"(?P<bearer>\bbearer[ \t]{{1,8}}+){_NOT_YET}(?=[^\s\d]{{0,64}}+\d)[A-Za-z0-9._~+/=-]{{8,}}+",
    # password=, token:, "api_key": "..." and their like, in URLs, SQL, argv, headers and JSON
    rf"(?P<key>(?:{_WORDS}){_SIGN}){_NOT_YET}{_VALUE}",
    # SQL: PASSWORD 'x', SECRET 'x', IDENTIFIED BY 'x'
    # doubled quotes are SQL quoted in SQL; one quote too many is SQL quoted by somebody who does not know SQL
    (
        r"(?P<sql>\b(?:password|secret|session_token|key_id|identified[ \t]{1,4}+by)\s{1,8}+)"
        r"(?:'{2,4}+(?=[^\s',;)])[^']++'{0,4}+|'(?:[^']|'')*+'|'[^'\s]++'{0,4}+)"
    ),
    # what programs take without a sign: .netrc, curl -u user:password, sshpass -p x, mysql -px
    rf"(?P<netrc>\bmachine\s{{1,8}}+\S{{1,256}}+\s{{1,8}}+login\s{{1,8}}+\S{{1,256}}+\s{{1,8}}+password\s{{1,8}}+){_NOT_YET}\S++",
    rf"(?P<curl>(?<![\w-])(?-i:-u|--user|--proxy-user)[ \t=]{{1,4}}+['\"]?+(?!\d+:\d)[^\s:'\"]{{1,64}}+:){_NOT_YET}[^\s'\"]++",
    rf"(?P<sshpass>\bsshpass[ \t]{{1,8}}+-p[ \t]{{0,8}}+['\"]?+){_NOT_YET}[^\s'\"]++",
    rf"(?P<mysql>\bmysql(?:dump|admin)?+[ \t][^\r\n|;&]{{0,200}}?(?<=[ \t])(?-i:-p)['\"]?+){_NOT_YET}[^\s'\"]++",
    # shapes that are secrets wherever they stand
    (
        r"(?P<pem>-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)"
        rf"{_NOT_YET}[\s\S]*?(?:-----END [A-Z ]{{0,32}}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    ),
    (
        rf"(?P<bare>){_BARE}(?-i:gh[pousr]_[A-Za-z0-9]{{20,}}+|hf_[A-Za-z0-9]{{20,}}+|(?:AKIA|ASIA)[A-Z0-9]{{16}}"
        r"|npm_[A-Za-z0-9]{30,}+|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}+|whsec_[A-Za-z0-9]{16,}+"
        r"|do[opr]_v1_[a-f0-9]{32,}+|dapi[a-f0-9]{32}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|lin_api_[A-Za-z0-9]{20,}+"
        r"|ATATT3[A-Za-z0-9_=-]{20,}+|AGE-SECRET-KEY-1[A-Z0-9]{40,}+|[0-9]{8,10}:AA[A-Za-z0-9_-]{33})"
    ),
    (
        rf"(?P<dash>){_DASH}(?-i:github_pat_[A-Za-z0-9_]{{20,}}+|glpat-[A-Za-z0-9_-]{{16,}}+"
        r"|sk-(?=[A-Za-z_-]{0,64}+\d)[A-Za-z0-9_-]{16,}+|xox[abeprs]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"
        r"|AIza[A-Za-z0-9_-]{30,}+|ya29\.[A-Za-z0-9_-]{20,}+|pypi-[A-Za-z0-9_-]{32,}+|dckr_pat_[A-Za-z0-9_-]{16,}+"
        r"|hvs\.[A-Za-z0-9_-]{20,}+|glsa_[A-Za-z0-9_]{20,}+|PMAK-[A-Za-z0-9-]{20,}+|sq0csp-[A-Za-z0-9_-]{20,}+"
        r"|GOCSPX-[A-Za-z0-9_-]{16,}+|SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+"
        r"|eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?)"
    ),
)
# `password hunter2` without a sign is a secret only after an option
_OPTIONS: Final = (
    r"(?<![\w-])(--?(?:[a-z0-9]{1,24}+-){0,4}(?:password|passwd|passphrase|token|secret|api-?key|access-?key|credentials?)"
    rf"(?:[ \t]{{1,8}}+|['\"],[ \t]{{0,4}}+(?=['\"]))){_NOT_YET}(?!-)"
    r"(?:'{2,4}+(?=[^\s',;)])[^']++'{0,4}+|'[^']*+'?|\"[^\"]*+\"?|[^\s'\",]++)"
)
# What a key, a header or an option is called whose value is a secret, whatever the value looks like.
_NAMES: Final = rf"[\w.-]*?(?:{_WORDS}|auth|authorization|cookie|bearer|pass)"
# Lower case; one of them stands in every text that a pattern matches. Most texts hold none and are done at once.
_SIGNS: Final = (
    "pass", "secret", "token", "key", "credential", "sig", "pwd", "auth", "cookie", "bearer", "identified", "@",
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "hf_", "akia", "asia", "npm_", "k_live", "k_test", "whsec_", "_pat_",
    "glpat-", "sk-", "xox", "xapp-", "aiza", "ya29", "pypi-", "gocspx", "sg.", "eyj",
    "_v1_", "dapi", "shp", "lin_api_", "atatt3", ":aa", "hvs.", "glsa_", "pmak-", "sq0csp-", "machine", "-u", "mysql",
)  # fmt: skip


def _mask(match: re.Match[str]) -> str:
    kept = match.group(match.lastgroup or 0)
    return f"{kept}{MASK}@" if match.lastgroup == "url" else f"{kept}{MASK}"


@lru_cache(maxsize=1)
def _compiled() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds secrets and options, compiled for the first suspicious text: most processes see none."""
    return re.compile("|".join(_PATTERNS), re.IGNORECASE), re.compile(_OPTIONS, re.IGNORECASE)


def redact(text: str) -> str:
    """Return ``text`` without what looks like a credential. Idempotent; the rest of the text is left as it is."""
    lower = text.lower()
    for sign in _SIGNS:  # a loop, not `any`: a generator would double what a harmless text costs
        if sign in lower:
            break
    else:
        return text
    secret, option = _compiled()
    return option.sub(rf"\1{MASK}", secret.sub(_mask, text))


@lru_cache(maxsize=2048)
def names_secret(name: str) -> bool:
    """Whether what stands under ``name`` is a secret whatever it looks like: a key, a header's name, an option.

    ``PWD`` is a folder, and ``max_tokens`` is a count.
    """
    return len(name) <= _NAME_CAP and _named().fullmatch(name) is not None and name.lower() != "pwd"


@lru_cache(maxsize=1)
def _named() -> re.Pattern[str]:
    return re.compile(_NAMES, re.IGNORECASE)


def clean_words(words: Iterable[str], cap: int) -> list[str]:
    """Return `clean` of each of a command's words; what follows an option that takes a secret is one."""
    shown: list[str] = []
    follows = False
    for word in words:
        shown.append(MASK if follows and not word.startswith("-") else clean(word, cap))
        follows = word.startswith("-") and names_secret(word)
    return shown


@lru_cache(maxsize=2048)
def _redact_short(text: str) -> str:
    return redact(text)


def printable(text: str) -> str:
    """Return ``text`` with lone surrogates escaped, so that it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def clean(text: str, cap: int) -> str:
    """Redact ``text`` and cut it to ``cap`` characters; a cut says how many characters it took."""
    if type(text) is not str:
        text = str.__str__(text)  # a subclass may answer anything to what follows
    size = len(text)
    if size <= 200:  # noqa: PLR2004 - names, types and paths repeat; longer texts rarely do
        whole = _redact_short(text) if text.isascii() else redact(printable(text))
        return whole if len(whole) <= cap else _cut(whole, cap, 0)
    window = cap * _WINDOW
    seen = redact(printable(text[:window]))
    if size > window:
        return _cut(seen, min(cap, len(seen) - _EDGE), size - window)
    return seen if len(seen) <= cap else _cut(seen, cap, 0)


def _cut(seen: str, cap: int, unseen: int) -> str:
    kept = seen[: max(0, cap)]
    return f"{kept} [cut {len(seen) - len(kept) + unseen} characters]"
