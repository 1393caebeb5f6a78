"""A stable name for each student, so that none leaves the machine, and the way back.

What is taken out of a paper is what is known of its writer: the name, its parts, ids and mail
addresses from the submission and its extra columns. Other people's names stay: they are content.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from gradeq.grading.mapped import Mapped
from gradeq.grading.prepared import Alias
from gradeq.model import Submission

REMOVED = "[removed]"
"""Stands for an id or a mail address."""

_PERSONAL_HEADER = re.compile(r"name|mail|student|matri[ck]|login|(?:^|[^a-z]|user|sis)id(?![a-z])")
_OTHER_HEADER = re.compile(r"course|assign|file|question|topic|school|title|class|comment|answer")
_LONGEST_VALUE = 80

_NO_NAMES = frozenset(("student", "test", "anonymous", "participant", "unknown", "user"))
"""What stands in a name column without being a name."""

_LETTER = r"[^\W\d_]"
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ALIKE = MappingProxyType(
    {
        **dict.fromkeys("‘’ʼ`´", "'"),
        **dict.fromkeys("‐‑‒–", "-"),
        **dict(zip("ıłŁøØđĐ", "ilLoOdD", strict=True)),
    }
)
_SPELLED_OUT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"}
    | {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Ø": "Oe", "Å": "Aa", "Æ": "Ae"}
)


@dataclass(frozen=True, slots=True)
class _Term:
    """Something to take out. `needle`, in lower case, occurs wherever `pattern` matches."""

    pattern: str
    needle: str
    instead: str


class Pseudonyms:
    """Names made from a secret that each database keeps for itself.

    Without the secret nobody can tell which student a pseudonym stands for; with it, the same
    student gets the same one every time.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, submission: Submission) -> Alias:
        """The alias of a submission's writer: "Student-" and six hexadecimal digits."""
        writer = submission.student.strip() or submission.external_id
        known = unicodedata.normalize("NFC", writer).casefold().encode("utf-8", "replace")
        digest = hmac.new(self._secret, known, hashlib.sha256).hexdigest()
        return Alias(f"Student-{digest[:6]}", writer)


def redact(sent: Mapped, submission: Submission, alias: Alias) -> Mapped:
    """Replace the writer's name by the pseudonym, and their ids and addresses by "[removed]"."""
    looks = _looks(sent.text)
    folded = looks.casefold()
    terms = [term for term in _terms(submission, alias) if term.needle in folded]
    if not terms:
        return sent
    terms.sort(key=lambda term: -len(term.pattern))
    pattern = re.compile("|".join(f"({term.pattern})" for term in terms))
    return sent.replaced(
        (match.start(), match.end(), terms[(match.lastindex or 1) - 1].instead)
        for match in pattern.finditer(looks)
    )


def restore(text: str, alias: Alias) -> str:
    """Put the writer's name back where a model wrote the pseudonym, whatever hyphen it used."""
    digits = alias.pseudonym.removeprefix("Student-")
    if digits not in text.lower():
        return text
    return re.sub(rf"student[-\s‐‑–]?{digits}", lambda _: alias.name, text, flags=re.IGNORECASE)


def _terms(submission: Submission, alias: Alias) -> Iterator[_Term]:
    yield from _value_terms(submission.student, alias)
    if not submission.external_id.isalpha():
        # An id of letters only is too often a word of the task: "essay.txt" has the id "essay".
        yield from _id_terms(submission.external_id)
    if not submission.student and _looks_like_a_name(submission.external_id):
        yield from _name_terms(submission.external_id, alias)
    for header, value in submission.extra.items():
        if _is_personal(header) and len(value) <= _LONGEST_VALUE:
            yield from _value_terms(value, alias)


def _value_terms(value: str, alias: Alias) -> Iterator[_Term]:
    """What to take out for a value that may be a name, an id or an address."""
    if "@" in value:
        yield from _id_terms(value)
        yield from _id_terms(value.partition("@")[0])
    elif any(character.isdigit() for character in value):
        yield from _id_terms(value)
        if _looks_like_a_name(value):
            yield from _name_terms(value, alias)
    else:
        yield from _name_terms(value, alias)


def _is_personal(header: str) -> bool:
    header = header.casefold()
    return bool(_PERSONAL_HEADER.search(header) and not _OTHER_HEADER.search(header))


def _looks_like_a_name(value: str) -> bool:
    """A file is often named after its writer: "Ada Lovelace.txt", "Lovelace_Ada_1234.txt"."""
    words = [word for word in re.split(r"[\s_,-]+", value) if len(word) >= 3]
    return len([word for word in words if word.isalpha() and word[0].isupper()]) >= 2


def _id_terms(value: str) -> Iterator[_Term]:
    """Ids with letters from 3 characters on, and numbers from 5 digits on."""
    literal = _looks(unicodedata.normalize("NFC", value.strip()))
    has_letter = any(character.isalpha() for character in literal)
    if len(literal) >= (3 if has_letter else 5) and literal.casefold() not in _NO_NAMES:
        pattern = rf"(?<![^\W_])(?i:{re.escape(literal)})(?![^\W_])"
        yield _Term(pattern, literal.casefold(), REMOVED)


def _name_terms(name: str, alias: Alias) -> Iterator[_Term]:
    name = unicodedata.normalize("NFC", name)
    has_case = name.lower() != name.upper() and not name.islower()
    for spelling in {_looks(name), _looks(name.translate(_SPELLED_OUT))}:
        parts = [part for part in re.split(r"[\s,._\d]+", spelling) if part]
        if len(parts) > 1:
            yield from _full_name_terms(parts, alias)
        for part in parts:
            if part[0].isupper() or not has_case:  # "van" and "de" are words of their own
                yield from _part_terms(part, alias)


def _full_name_terms(parts: list[str], alias: Alias) -> Iterator[_Term]:
    """In any case, in the order given, and with the last or the first part moved round."""
    fewest = 0 if sum(map(len, parts)) >= 8 or _CJK.search(parts[0]) else 1
    between = rf"[\s,._-]{{{fewest},3}}"
    for order in (parts, parts[-1:] + parts[:-1], parts[1:] + parts[:1]):
        pattern = between.join(map(_loosely, order))
        yield _Term(
            _as_word(f"(?i:{pattern})", parts[0]), _needle(max(parts, key=len)), alias.pseudonym
        )


def _part_terms(part: str, alias: Alias) -> Iterator[_Term]:
    """One part, and the halves of a double name: as written, Capitalised and in CAPITALS."""
    for piece in {part, *part.split("-")}:
        shortest = 2 if _CJK.search(piece) else 3
        if len(piece) >= shortest and piece.casefold() not in _NO_NAMES:
            variants = {piece, piece.capitalize(), piece[0].upper() + piece[1:], piece.upper()}
            pattern = "|".join(sorted(map(_loosely, variants)))
            yield _Term(_as_word(f"(?:{pattern})", piece), _needle(piece), alias.pseudonym)


def _as_word(pattern: str, sample: str) -> str:
    """Chinese, Japanese and Korean put no space around a name."""
    return pattern if _CJK.search(sample) else f"(?<!{_LETTER}){pattern}(?!{_LETTER})"


def _loosely(part: str) -> str:
    """With or without its apostrophes and hyphens."""
    return r"['\s-]?".join(re.escape(piece) for piece in re.split("['-]", part))


def _needle(part: str) -> str:
    return max(re.split("['-]", part), key=len).casefold()


def _looks(text: str) -> str:
    """The text with accents, apostrophes and hyphens evened out, character for character."""
    if text.isascii():
        return text
    for character in set(text):
        if not character.isascii() and (plain := _plain(character)) != character:
            text = text.replace(character, plain)
    return text


def _plain(character: str) -> str:
    if character in _ALIKE:
        return _ALIKE[character]
    parts = unicodedata.normalize("NFKD", character)
    return parts[0] if all(map(unicodedata.combining, parts[1:])) else character
