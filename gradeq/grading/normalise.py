"""Student text made safe to send, with the way back to the text as it was handed in.

What is sent is the student's text in Unicode form NFC: canonically equivalent, so nothing that a
person reads changes. Not NFKC: that would turn "x²" into "x2" and "½" into "1⁄2", and the paper
into another answer. (Quotes are compared under NFKC; see `evidence`.) Characters that no reader
sees are left out, because a paper is graded as a person would read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from gradeq.grading.mapped import Mapped

UNREADABLE = "\ufffd"
MOST_MARKS = 30
"""On one letter; the limit of Unicode's Stream-Safe Text Format (UAX #15)."""

_BREAKS = r"\r\x0b\x0c\u2028\u2029"
_CONTROLS = r"\x01-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff"
_INVISIBLE = (
    r"\x00\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufeff\uffa0\ufff9-\ufffb"
)
_JOINERS = r"\u200c\u200d"
_SELECTORS = r"\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS = r"\U000e0000-\U000e007f"
_EMOJI_FLAG = re.compile(r"\U0001f3f4[\U000e0020-\U000e007e]{3,6}\U000e007f")
"""The flags of England, Scotland and Wales: a black flag, then tag characters."""

_ANY = re.compile(f"[{_BREAKS}{_CONTROLS}{_INVISIBLE}{_JOINERS}{_SELECTORS}{_TAGS}]")
_CHANGE = re.compile(
    rf"""
      (?P<newline> \r\n? | [{_BREAKS}] )
    | (?P<unreadable> [{_CONTROLS}] )
    | (?P<flag> {_EMOJI_FLAG.pattern} )
    | (?P<invisible> [{_INVISIBLE}{_TAGS}]+
        # Joiners shape Indic and Persian script and emoji; after anything else they only hide.
        | (?<![\u0590-\u1fff\u2190-\ufefe\U0001f000-\U0001faff])[{_JOINERS}]
        | [{_SELECTORS}]{{2,}} )
    """,
    re.VERBOSE,
)
_INSTEAD = {"newline": "\n", "unreadable": UNREADABLE, "invisible": ""}

_HIDING_CHARACTERS = (
    (1, re.compile(f"[{_TAGS}]")),
    (1, re.compile(r"[\u202d\u202e]")),
    (1, re.compile(f"[{_SELECTORS}]{{2}}")),
    # Zero-width characters inside words. One or two come with any copy from a web page; Thai and
    # Khmer separate their words so, and are left out.
    (
        3,
        re.compile(
            r"(?<=[0-9A-Za-z\xc0-\u058f\u200b-\u200d\u2060-\u2064\ufeff])"
            r"[\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff]"
        ),
    ),
)
"""How often a character must occur to count as hiding something, and which."""

_HIDING = re.compile(
    rf"[{_TAGS}{_SELECTORS}\u034f\u180e\u200b-\u200d\u202d\u202e\u2060-\u2064\ufeff]"
)

_STYLE = (
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?(?![.\d])"
    r"|font-size\s*:\s*[01](?:\.0*)?(?:px|pt|em|%)?(?![.\d])"
    r"|(?<![-\w])color\s*:\s*(?:\#fff(?:fff)?\b|white\b)"
)
_HIDING_MARKUP = re.compile(
    rf"""
      <!--(?!\[if|\[endif|StartFragment|EndFragment)   # what Word pastes is nobody's trick
    | <[a-z][^<>]{{0,200}}\sstyle\s*=[^<>]{{0,200}}?(?:{_STYLE})
    | <font[^<>]{{0,100}}\scolor\s*=\s*["']?(?:\#fff(?:fff)?|white)\b
    | \\(?:text)?color\{{white\}}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NO_CONTENT = re.compile(
    rf"</?(?:p|br|div|span)\s*/?>|&nbsp;|[\s\u2800{UNREADABLE}]", re.IGNORECASE
)


def normalise(text: str) -> Mapped:
    """`text` as it may be sent: NFC, \\n for every line break, no control or invisible character.

    Control characters and lone surrogates become U+FFFD; NULs and what cannot be seen disappear.
    """
    return _composed(_visible(Mapped.of(text)))


def is_blank(sent: Mapped) -> bool:
    """Whether nothing is left for a person to read; empty HTML paragraphs count as nothing."""
    # A few thousand characters of empty markup are nothing still; a longer text is not blank.
    return len(sent.text) < 5_000 and not _NO_CONTENT.sub("", sent.text)


def hides_text(text: str) -> bool:
    """Whether a handed-in `text` holds something that a person who opens it would not see."""
    if _HIDING.search(text):
        rest = _EMOJI_FLAG.sub("", text)
        for times, pattern in _HIDING_CHARACTERS:
            if len(pattern.findall(rest)) >= times:
                return True
    return ("<" in text or "\\" in text) and _HIDING_MARKUP.search(text) is not None


def unseen(text: str) -> Iterator[tuple[int, int]]:
    """Where `text` holds characters that a reader would not see: start and end (exclusive)."""
    for match in _CHANGE.finditer(text):
        if match.lastgroup in ("invisible", "unreadable"):
            yield match.span()


def clean(text: str) -> str:
    """Text that a model wrote, without control, bidi or other invisible characters."""
    return normalise(text).text.replace(UNREADABLE, "").strip()


def _visible(sent: Mapped) -> Mapped:
    if not _ANY.search(sent.text):
        return sent
    return sent.replaced(
        (match.start(), match.end(), _INSTEAD[match.lastgroup or ""])
        for match in _CHANGE.finditer(sent.text)
        if match.lastgroup != "flag"
    )


def _composed(sent: Mapped) -> Mapped:
    if unicodedata.is_normalized("NFC", sent.text):
        return sent
    return sent.replaced(
        (start, end, composed)
        for start, end in _clusters(sent.text)
        if (composed := unicodedata.normalize("NFC", sent.text[start:end])) != sent.text[start:end]
    )


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Stretches that NFC can be applied to one by one: what begins one composes with no letter
    before it. Second halves of compositions are all marks (category M) or Hangul vowels and finals.
    None is longer than MOST_MARKS: putting marks in order takes the square of their number.
    """
    start = 0
    for index, character in enumerate(text):
        if index > start and (index - start > MOST_MARKS or not _continues(character)):
            yield start, index
            start = index
    if text:
        yield start, len(text)


def _continues(character: str) -> bool:
    return not character.isascii() and (
        "\u1161" <= character <= "\u11c2" or unicodedata.category(character)[0] == "M"
    )
