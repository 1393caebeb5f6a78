"""Addresses, credentials, token guesses and prices."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import KEY, PROMPT

from gradeq.errors import ConfigError
from gradeq.limiter.base import Usage
from gradeq.providers.address import is_loopback, model_family, pool_name, with_version
from gradeq.providers.credential import Credential, load_credential, redact
from gradeq.providers.prices import PROVIDERS_OWN_TOKENS, Prices, most_tokens
from gradeq.providers.tokens import guess_cost, guess_tokens
from gradeq.providers.wire import to_json


@pytest.mark.parametrize(
    ("written", "regular"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
        ("https://host/v1/models/gemini-2.5-flash:generateContent", "https://host/v1"),
        ("https://host/proxy/anthropic", "https://host/proxy/anthropic/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
        ("https://host/api/paas/v4", "https://host/api/paas/v4"),
        ("https://host/v1?api-version=2", "https://host/v1?api-version=2"),
        (" http://localhost:11434 ", "http://localhost:11434/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
    ],
)
def test_base_urls_as_people_write_them(written, regular):
    assert with_version(written) == regular
    assert with_version(regular) == regular


@pytest.mark.parametrize(
    "written", ["", "api.openai.com", "ftp://host", "https://", "http://host:port", "http://[::1"]
)
def test_what_is_no_base_url(written):
    with pytest.raises(ConfigError, match="is not a web address"):
        with_version(written)


def test_a_login_in_the_base_url_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match="api_key_env") as raised:
        with_version("https://me:hunter2@host/v1")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("models.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
    ],
)
def test_this_machine(host, here):
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-opus-4-1", "claude-opus-4"),
        ("claude-haiku-5", "claude-haiku-5"),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-5", "gpt-5"),
        ("qwen2.5:0.5b", "qwen2.5:0.5b"),
    ],
)
def test_models_that_share_a_limit(model, family):
    assert model_family(model) == family


def test_a_pool_is_named_by_place_key_and_family():
    name = pool_name("https://api.anthropic.com/v1?key=secret", "1a2b3c4d", "claude-opus-4-1")
    assert name == "api.anthropic.com/v1 1a2b3c4d claude-opus-4"


def test_a_credential_never_shows_its_value():
    credential = Credential(KEY, "SOME_KEY")
    for shown in (repr(credential), str(credential), f"{credential}", f"{credential!r:>80}"):
        assert KEY not in shown
    assert credential.reveal() == KEY
    assert credential.fingerprint in repr(credential)
    assert len(credential.fingerprint) == 8


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_credential_is_not_copied(leave):
    with pytest.raises(TypeError, match="not copied"):
        leave(Credential(KEY, "SOME_KEY"))


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel", "tab\tbed", "nul\0"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(value):
    with pytest.raises(ConfigError, match="SOME_KEY") as raised:
        Credential(value, "SOME_KEY")
    assert value not in str(raised.value)


def test_keys_come_from_a_file_or_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"  {KEY}\n")
    environ = {"SOME_KEY": "from-environ\n", "EMPTY": " "}
    assert load_credential("SOME_KEY", str(file), environ).reveal() == KEY
    assert load_credential("SOME_KEY", None, environ).reveal() == "from-environ"
    assert load_credential("OTHER_KEY", None, environ) is None
    assert load_credential("EMPTY", None, environ) is None


def test_a_key_file_that_cannot_be_used(tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("missing", "empty", "binary"):
        with pytest.raises(ConfigError, match=name):
            load_credential("SOME_KEY", str(tmp_path / name), {})


@given(st.text(), st.text())
def test_redacting_always_hides_the_key(before, after):
    credential = Credential(KEY, "SOME_KEY")
    assert KEY not in redact(before + KEY + after, credential)


def test_redacting_leaves_plain_words_alone():
    text = "The server had an error while processing your request. Sorry about that!"
    assert redact(text, Credential(KEY, "K"), "Some other paper about the server of a king") == text


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 20, 180, 300),
        ("敏捷的棕色狐狸跳过懒狗。" * 20, 200, 260),
        ("Съешь же ещё этих мягких французских булок. " * 20, 300, 620),
        ("", 0, 0),
        ("🦊" * 10, 10, 20),
    ],
)
def test_guessed_tokens(text, least, most):
    assert least <= guess_tokens(text) <= most


@given(st.text(), st.text())
def test_more_text_is_never_guessed_as_fewer_tokens(first, second):
    assert guess_tokens(first + second) >= guess_tokens(first) - 1e-9


def test_a_prompt_costs_its_text_its_schema_and_what_it_is_expected_to_answer():
    cost = guess_cost(PROMPT)
    assert 80 < cost.input_tokens < 160
    assert (cost.output_tokens, cost.max_output_tokens) == (400, 1024)


def test_prompts_of_one_rubric_are_alike():
    assert guess_cost(replace(PROMPT, user="Other")).like == guess_cost(PROMPT).like
    assert guess_cost(replace(PROMPT, system="Other")).like != guess_cost(PROMPT).like


def test_prices_are_per_million():
    usage = Usage(1_000_000, 500_000, cache_read_tokens=400_000, cache_write_tokens=200_000)
    assert Prices(3.0, 15.0).of(usage) == pytest.approx(10.5)
    assert Prices(3.0, 15.0, 0.1, 1.25).of(usage) == pytest.approx(3 * (0.4 + 0.04 + 0.25) + 7.5)
    assert Prices().of(usage) == 0.0


@given(
    sent=st.integers(0, 10**6),
    own=st.integers(0, PROVIDERS_OWN_TOKENS),
    output=st.integers(0, 10**4),
    cached=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    prices=st.sampled_from([(3.0, 15.0), (0.0, 15.0), (3.0, 0.0)]),
    factors=st.sampled_from([(1.0, 1.0), (0.1, 1.25)]),
)
def test_no_call_costs_more_than_its_worst_price(sent, own, output, cached, prices, factors):
    tokens = sent + own
    read = round(cached[0] * tokens)
    usage = Usage(tokens, output, read, round(cached[1] * (tokens - read)))
    asked = Prices(*prices, *factors)
    assert asked.of(usage) <= asked.at_most(most_tokens(sent), output) * (1 + 1e-12)


def test_half_a_surrogate_pair_is_sent_as_a_question_mark():
    assert to_json({"text": ["a\ud800b"]}) == b'{"text":["a?b"]}'


def test_what_is_not_json_is_an_error():
    with pytest.raises(TypeError, match="not JSON"):
        to_json({"text": object()})
