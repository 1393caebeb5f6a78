"""The texts of the pages in the reader's language, and numbers and dates in the reader's form."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import (
    format_currency,
    format_decimal,
    format_percent,
    get_currency_symbol,
    get_decimal_symbol,
)
from starlette.requests import Request

from gradeq.money import decimals

WORDS = Path(__file__).parent / "words"
LANGUAGE_COOKIE = "gradeq_language"
DEFAULT_LANGUAGE = "en"
_Texts = Mapping[str, Any]
_Decimal = Callable[[float, Locale], str]


def _decimal(value: float, locale: Locale) -> str:
    return str(format_decimal(value, locale=locale))


@dataclass(frozen=True)
class Wording:
    """One language. `texts` are its entries by dotted key; an entry with a count has a form for
    each plural category of the language (CLDR). `currency` is that of all amounts (ISO 4217);
    `decimal` writes numbers in a locale's form."""

    language: str
    texts: _Texts
    locale: Locale
    currency: str = "USD"
    decimal: _Decimal = _decimal

    def text(self, key: str, **values: Any) -> str:
        """The text of `key` with `values` in their places; `n` also chooses the plural form.

        Raises KeyError for a key that the catalogue lacks.
        """
        found: Any = self.texts
        for part in key.split("."):
            found = found[part]
        if isinstance(found, Mapping):
            form = self.locale.plural_form(values["n"])
            found = found.get(form, found["other"])
        shown = {name: self._shown(value) for name, value in values.items()}
        return str(found).format_map(shown)

    def number(self, value: float, digits: int = 2) -> str:
        """With at most so many digits after the point."""
        return self.decimal(round(value, digits), self.locale)

    @property
    def decimal_sign(self) -> str:
        return str(get_decimal_symbol(self.locale))

    def typed(self, number: str) -> str:
        """A number with a point as somebody here would type it."""
        return number.replace(".", self.decimal_sign)

    def share(self, value: float) -> str:
        """A share between 0 and 1 as whole percent."""
        return str(format_percent(value, locale=self.locale))

    def money(self, value: float) -> str:
        """With more digits below 1, where most papers cost less than a cent."""
        pattern = str(self.locale.currency_formats["standard"].pattern)
        pattern = pattern.replace("0.00", "0." + "0" * decimals(value))
        if get_currency_symbol(self.currency, self.locale)[-1:].isalpha():
            # CLDR: letters do not touch the digits. Babel leaves that to us.
            pattern = pattern.replace("¤#", "¤\xa0#")
        told = format_currency(value, self.currency, pattern, self.locale, currency_digits=False)
        return str(told)

    def moment(self, at_ms: int) -> str:
        """Wall milliseconds as date and time of this machine's zone."""
        when = datetime.fromtimestamp(at_ms / 1000).astimezone()
        return str(format_datetime(when, "medium", locale=self.locale))

    def duration(self, seconds: float) -> str:
        """Roughly: 40 seconds, 3 minutes, 2 hours."""
        return str(format_timedelta(max(1, round(seconds)), threshold=1.5, locale=self.locale))

    def _shown(self, value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.number(value)
        return str(value)


class Languages:
    """All catalogues, and which one a reader wants."""

    def __init__(self, currency: str = "USD", folder: Path = WORDS) -> None:
        # A page of a long list has hundreds of numbers, most of them small and alike.
        decimal = lru_cache(maxsize=8192)(_decimal)
        self._known = {
            path.name: Wording(path.name, _texts(path), Locale.parse(path.name), currency, decimal)
            for path in sorted(folder.iterdir())
        }

    def __iter__(self) -> Iterator[Wording]:
        return iter(self._known.values())

    def of(self, request: Request) -> Wording:
        """What the reader chose here, else what the browser asks for, else English.

        Numbers and dates have the form of the region that the browser names for this language.
        """
        wanted = _wanted(request.headers.get("accept-language", ""))
        chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
        if chosen not in self._known:
            found = negotiate_locale(wanted, list(self._known), sep="-")
            chosen = (found or DEFAULT_LANGUAGE).split("-")[0]
        known = self._known[chosen]
        return replace(known, locale=_regional(wanted, known))


@cache
def _texts(folder: Path) -> _Texts:
    """A language's files together: one for each page, none with another's sections.

    Read once in a process: they come with the program, as its modules do.
    """
    texts: dict[str, Any] = {}
    for path in sorted(folder.glob("*.toml")):
        texts |= tomllib.loads(path.read_text("utf-8"))
    return MappingProxyType(texts)


def _regional(wanted: Sequence[str], known: Wording) -> Locale:
    """The first wanted form of a language, such as British English; else the language as such."""
    for tag in wanted:
        if tag.lower().startswith(f"{known.language}-"):
            with suppress(ValueError, UnknownLocaleError):
                return Locale.parse(tag, sep="-")
    return known.locale


def _wanted(header: str) -> list[str]:
    """The languages of an Accept-Language header, most wanted first (RFC 9110, 12.5.4)."""
    ranked = []
    for entry in header.split(","):
        tag, _, weight = entry.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for _, tag in sorted(ranked, key=lambda one: one[0]) if tag]
