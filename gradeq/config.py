"""gradeq.toml: read, checked whole, and overridden by GRADEQ_SECTION_KEY variables."""

from __future__ import annotations

import difflib
import math
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gradeq import money
from gradeq.errors import ConfigError

T = TypeVar("T")
_PREFIX = "GRADEQ_"
_SQLITE = "sqlite:///"

AUTO: Literal["auto"] = "auto"
Concurrency = int | Literal["auto"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`[server]`. A token comes from the variable named by `token_env` or from `token_file`."""

    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    token_env: str = "GRADEQ_TOKEN"  # noqa: S105 - a variable's name
    token_file: str | None = None


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """`[store]`. `url` is sqlite:/// and a path: three slashes a relative one, four an absolute."""

    url: str = "sqlite:///gradeq.db"

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix(_SQLITE))


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One `[provider.NAME]` section. Rates are per minute, prices per million tokens.

    `api_key_env` names a variable and `api_key_file` a file; the key itself is never a setting.
    `auth` is how the key is sent: `bearer`, `x-api-key`, `api-key` or `x-goog-api-key`; None is
    the kind's own way. `batch_api` says whether there is one; None: yes, but for `openai` only at
    OpenAI's own address, and never for `gemini`. `concurrency` is how many calls may be in flight,
    or "auto": found between 1 and `max_concurrency`. Of a `local` provider `model` is a file or
    package:NAME, `context_tokens` what each paper and its answer may take, `slots` how many papers
    are in work at once, `threads` how many cores; None: what suits model and machine.
    """

    name: str
    kind: str
    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None
    concurrency: Concurrency = 5
    max_concurrency: int = 256
    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_seconds: float = 120.0
    price_input: float = 0.0
    price_output: float = 0.0
    auth: str | None = None
    batch_api: bool | None = None
    context_tokens: int | None = None
    threads: int | None = None
    slots: int | None = None

    @property
    def tells_chances(self) -> bool:
        """True where its API can return how probable each token of an answer was."""
        return self.kind in ("openai", "local")


@dataclass(frozen=True, slots=True)
class GradingSettings:
    """`[grading]`. `pseudonyms = false` lets students' names and ids leave this machine.

    The caps are in the currency of the prices; None: no cap. `currency`, an ISO 4217 code such as
    EUR, is which one that is: pages show amounts in it.
    """

    default_provider: str | None = None
    pseudonyms: bool = True
    cost_cap_per_batch: float | None = None
    cost_cap_per_day: float | None = None
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every part has a default."""

    server: ServerSettings = field(default_factory=ServerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    grading: GradingSettings = field(default_factory=GradingSettings)
    providers: tuple[ProviderSettings, ...] = ()


_SECTIONS = {"server": ServerSettings, "store": StoreSettings, "grading": GradingSettings}


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read `path` (None: only variables). Raises ConfigError, all mistakes at once."""
    return parse_config(_read(path) if path else {}, environ, str(path or "the environment"))


def parse_config(told: Mapping[str, Any], environ: Mapping[str, str], where: str) -> Config:
    """Check a parsed file and apply the variables. Raises ConfigError."""
    problems = _Problems(where)
    merged = _with_environment(told, environ)
    for variable, known in _unknown_variables(merged, environ):
        problems.unknown("the environment", variable, known)
    for name in merged:
        if name not in _SECTIONS and name != "provider":
            problems.unknown(f"[{name}]", name, (*_SECTIONS, "provider"))
    sections = {
        name: problems.section(kind, f"[{name}]", merged.get(name, {}))
        for name, kind in _SECTIONS.items()
    }
    providers = tuple(
        problems.section(ProviderSettings, f"[provider.{name}]", section, name=name)
        for name, section in _tables(merged.get("provider", {}), problems)
    )
    problems.check_values(sections, providers)
    problems.raise_all()
    return Config(**sections, providers=providers)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); nothing started") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}; nothing started") from error


def _tables(told: Any, problems: _Problems) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(told, Mapping) or not all(isinstance(s, Mapping) for s in told.values()):
        problems.add("providers are sections with a name: [provider.NAME]")
        return []
    return list(told.items())


def _with_environment(told: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Variables win over the file. A provider's name may hold underscores: known names first."""
    merged = {k: dict(v) if isinstance(v, Mapping) else v for k, v in told.items()}
    for name, kind in _SECTIONS.items():
        for key in fields(kind):
            value = environ.get(f"{_PREFIX}{name}_{key.name}".upper())
            if value is not None and isinstance(merged.setdefault(name, {}), dict):
                merged[name][key.name] = value
    if isinstance(merged.get("provider"), dict):
        merged["provider"] = {
            name: _provider_overridden(name, section, environ)
            for name, section in merged["provider"].items()
        }
    return merged


def _unknown_variables(
    merged: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Variables of the sections there are that set nothing, each with those that would."""
    kinds = {f"{_PREFIX}{name}_".upper(): kind for name, kind in _SECTIONS.items()}
    providers = merged.get("provider")
    named = providers if isinstance(providers, Mapping) else {}
    kinds |= {_provider_prefix(name): ProviderSettings for name in named}
    known = {prefix + key.name.upper() for prefix, kind in kinds.items() for key in fields(kind)}
    holders = (merged.get("server"), *named.values())
    secrets = {
        holder.get(key)
        for holder in holders
        if isinstance(holder, Mapping)
        for key in ("token_env", "api_key_env")
    }
    for variable in sorted(environ):
        if variable.startswith(tuple(kinds)) and variable not in known | secrets:
            yield variable, tuple(sorted(known))


def _provider_overridden(name: str, section: Any, environ: Mapping[str, str]) -> Any:
    if not isinstance(section, Mapping):
        return section
    prefix = _provider_prefix(name)
    found = {
        key.name: environ[prefix + key.name.upper()]
        for key in fields(ProviderSettings)
        if prefix + key.name.upper() in environ
    }
    return {**section, **found}


def _provider_prefix(name: str) -> str:
    return f"{_PREFIX}PROVIDER_{name.upper().replace('-', '_')}_"


class _Problems:
    """Gathers every mistake before one error tells them all."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[str] = []

    def add(self, problem: str) -> None:
        self._found.append(problem)

    def unknown(self, where: str, key: str, known: tuple[str, ...]) -> None:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"
        self.add(f"{where}: unknown key {key!r}{hint}")

    def section(self, kind: type[T], where: str, told: Any, **given: Any) -> Any:
        """An instance of `kind`, or its best guess once a problem is noted."""
        if not isinstance(told, Mapping):
            self.add(f"{where} must be a section, not {told!r}")
            return None
        hints = get_type_hints(kind)
        known = tuple(one.name for one in fields(kind) if one.name not in given)  # type: ignore[arg-type] # a dataclass
        values = dict(given)
        for key, value in told.items():
            if key in known:
                values[key] = self._typed(f"{where} {key}", value, hints[key])
            else:
                self.unknown(where, key, known)
        try:
            return kind(**values)
        except TypeError:
            missing = [key for key in ("kind", "model") if key in known and key not in values]
            self.add(f"{where}: {' and '.join(missing)} must be given")
            return None

    def _typed(self, where: str, value: Any, hint: Any) -> Any:
        convert = _CONVERTERS[_plain(hint)]
        try:
            return convert(value)
        except (ValueError, TypeError):
            self.add(f"{where} must be {_NAMES[_plain(hint)]}, not {value!r}")
            return value

    def check_values(
        self, sections: Mapping[str, Any], providers: tuple[ProviderSettings | None, ...]
    ) -> None:
        if self._found:
            return
        store, grading = sections["store"], sections["grading"]
        if not store.url.startswith(_SQLITE) or not store.url.removeprefix(_SQLITE):
            self.add(f"[store] url must be sqlite:///PATH, not {store.url!r}")
        if not 0 <= sections["server"].port <= 65535:
            self.add(f"[server] port {sections['server'].port} is not between 0 and 65535")
        for key in ("cost_cap_per_batch", "cost_cap_per_day"):
            cap = getattr(grading, key)
            if cap is not None and not 0 < cap < math.inf:
                self.add(f"[grading] {key} must be above 0, not {cap:g}")
        if not money.is_currency(grading.currency):
            self.add(
                "[grading] currency must be a code of three letters, such as EUR, "
                f"not {grading.currency!r}"
            )
        for one in providers:
            if one is not None:
                self._check_provider(one)
        names = [one.name for one in providers if one is not None]
        if grading.default_provider is not None and grading.default_provider not in names:
            self.add(
                f"[grading] default_provider is {grading.default_provider!r}, but the providers "
                f"are: {', '.join(names) or 'none'}"
            )

    def _check_provider(self, one: ProviderSettings) -> None:
        where = f"[provider.{one.name}]"
        for key in ("concurrency", "max_concurrency"):
            calls = getattr(one, key)
            if calls != AUTO and calls < 1:
                self.add(f"{where} {key} must be 1 or more, not {calls}")
        if not one.timeout_seconds > 0:
            self.add(f"{where} timeout_seconds must be above 0, not {one.timeout_seconds:g}")
        for key in ("price_input", "price_output"):
            if not 0 <= getattr(one, key) < math.inf:
                self.add(f"{where} {key} must be 0 or more, not {getattr(one, key):g}")
        for bucket in ("requests", "input_tokens", "output_tokens", "tokens"):
            rate = getattr(one, f"{bucket}_per_minute")
            if rate is not None and not 0 < rate < math.inf:
                self.add(f"{where} {bucket}_per_minute must be above 0, not {rate:g}")

    def raise_all(self) -> None:
        if self._found:
            told = "\n".join(f"  - {problem}" for problem in self._found)
            raise ConfigError(f"{self._where} cannot be used; nothing started:\n{told}")


def _plain(hint: Any) -> Any:
    """The type behind `T | None`."""
    if hint == Concurrency:
        return hint
    if get_origin(hint) in (Union, types.UnionType):
        return next(arg for arg in get_args(hint) if arg is not type(None))
    return hint


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool | float):
        raise TypeError
    return int(value)


def _calls(value: Any) -> Concurrency:
    return AUTO if value == AUTO else _whole(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false"):
        raise ValueError
    return str(value).lower() == "true"


_CONVERTERS: Mapping[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _whole,
    Concurrency: _calls,
    float: _number,
    bool: _truth,
}
_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "a whole number",
    Concurrency: 'a whole number or "auto"',
    float: "a number",
    bool: "true or false",
}
