"""OpenAI's Batch API and its files, through OpenAI's own client with strict types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from official import openai
from sample_paper import LEVELS, PAPER, USER

ENDPOINT = "/v1/chat/completions"


def line(custom_id: str, body: dict[str, Any], **changes: Any) -> str:
    entry = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body} | changes
    return json.dumps(entry)


def lines(request: dict[str, Any], count: int) -> str:
    """`count` papers, each a word longer than the one before."""
    system = request["messages"][0]
    papers = [USER.replace(PAPER, PAPER + " Sleep." * number) for number in range(count)]
    bodies = [request | {"messages": [system, {"role": "user", "content": p}]} for p in papers]
    return "\n".join(line(f"entry-{n}", body) for n, body in enumerate(bodies)) + "\n"


async def upload(client: openai.AsyncOpenAI, text: str, name: str = "papers.jsonl") -> str:
    return (await client.files.create(file=(name, text.encode()), purpose="batch")).id


async def post(client: openai.AsyncOpenAI, text: str, **more: Any) -> Any:
    return await client.batches.create(
        input_file_id=await upload(client, text),
        endpoint=ENDPOINT,
        completion_window="24h",
        **more,
    )


async def ended(client: openai.AsyncOpenAI, batch_id: str) -> Any:
    """Ask until it has ended; what has to pass of time has passed."""
    while True:
        batch = await client.batches.retrieve(batch_id)
        if batch.status in ("completed", "expired", "cancelled", "failed"):
            return batch


async def file_of(client: openai.AsyncOpenAI, file_id: str) -> dict[str, Any]:
    content = (await client.files.content(file_id)).content
    return {each["custom_id"]: each for each in map(json.loads, content.splitlines())}


async def test_a_file_is_kept_as_it_was_sent(simulate, gpt):
    client = gpt(await simulate())
    text = '{"a": "--boundary\r\n\r\n"}\n'
    made = await client.files.create(file=("x.jsonl", text.encode()), purpose="batch")
    assert (made.filename, made.bytes, made.purpose) == ("x.jsonl", len(text), "batch")
    assert (await client.files.content(made.id)).content == text.encode()
    assert (await client.files.retrieve(made.id)).id == made.id


async def test_a_batch_is_answered_as_live_calls_are(simulate, gpt, openai_request, clock):
    simulator = await simulate(batch_seconds=60)
    client = gpt(simulator)
    batch = await post(client, lines(openai_request, 3), metadata={"gradeq_intent": "abc"})
    assert (batch.status, batch.output_file_id, batch.errors) == ("validating", None, None)
    assert batch.metadata == {"gradeq_intent": "abc"}
    assert (batch.request_counts.total, batch.request_counts.completed) == (3, 0)
    clock.advance(60)
    done = await ended(client, batch.id)
    assert (done.status, done.error_file_id) == ("completed", None)
    assert (done.request_counts.completed, done.request_counts.failed) == (3, 0)
    answers = await file_of(client, done.output_file_id)
    assert set(answers) == {"entry-0", "entry-1", "entry-2"}
    first = answers["entry-0"]["response"]
    grade = json.loads(first["body"]["choices"][0]["message"]["content"])
    assert (first["status_code"], grade["criteria"]["evidence"]["level"] in LEVELS) == (200, True)
    live = await client.chat.completions.create(**openai_request)
    assert json.loads(live.choices[0].message.content) == grade
    stats = simulator.stats
    assert (stats.batches, stats.batch_entries, len(stats.batch_answers_per_paper)) == (1, 3, 3)


async def test_progress_shows_while_it_goes_on(simulate, gpt, openai_request, clock):
    simulator = await simulate(batch_seconds=100)
    client = gpt(simulator)
    batch = await post(client, lines(openai_request, 10))
    await client.batches.retrieve(batch.id)
    clock.advance(50)
    while (now := await client.batches.retrieve(batch.id)).request_counts.completed < 5:
        pass
    assert (now.status, now.output_file_id) == ("in_progress", None)


async def test_a_cancelled_batch_keeps_what_was_answered(simulate, gpt, openai_request, clock):
    simulator = await simulate(batch_seconds=100)
    client = gpt(simulator)
    batch = await post(client, lines(openai_request, 10))
    await client.batches.retrieve(batch.id)
    clock.advance(40)
    while (await client.batches.retrieve(batch.id)).request_counts.completed < 4:
        pass
    assert (await client.batches.cancel(batch.id)).status == "cancelling"
    done = await ended(client, batch.id)
    assert done.status == "cancelled"
    assert len(await file_of(client, done.output_file_id)) == 4
    errors = await file_of(client, done.error_file_id)
    assert {each["error"]["code"] for each in errors.values()} == {"batch_cancelled"}
    assert len(errors) == 6
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'cancelled'"):
        await client.batches.cancel(batch.id)


async def test_failed_and_expired_entries_are_in_the_error_file(
    simulate, gpt, openai_request, clock
):
    client = gpt(await simulate(batch_seconds=1, batch_fail="500:0.4,hang:0.4"))
    batch = await post(client, lines(openai_request, 30))
    clock.advance(1)
    done = await ended(client, batch.id)
    assert done.status == "expired"
    answers = await file_of(client, done.output_file_id)
    errors = await file_of(client, done.error_file_id)
    assert len(answers) + len(errors) == 30
    failed = [each for each in errors.values() if each["response"]]
    expired = [each for each in errors.values() if each["error"]]
    assert (len(failed), len(answers)) == (
        done.request_counts.failed,
        done.request_counts.completed,
    )
    assert {each["response"]["status_code"] for each in failed} == {500}
    assert {each["response"]["body"]["error"]["type"] for each in failed} == {"server_error"}
    assert {each["error"]["code"] for each in expired} == {"batch_expired"}


async def test_batches_are_listed_newest_first_and_by_page(simulate, gpt, openai_request):
    client = gpt(await simulate())
    made = [(await post(client, lines(openai_request, 1))).id for _ in range(5)]
    first = await client.batches.list(limit=2)
    assert ([each.id for each in first.data], first.has_more) == (made[:2:-1], True)
    assert [each.id async for each in client.batches.list(limit=2)] == made[::-1]
    for bad in ({"limit": 0}, {"after": "nothing"}):
        with pytest.raises(openai.BadRequestError):
            await client.batches.list(**bad)


async def test_what_belongs_to_another_key_is_unknown(simulate, gpt, openai_request):
    simulator = await simulate(api_keys=("mine", "theirs"))
    mine, theirs, nobody = (gpt(simulator, api_key=key) for key in ("mine", "theirs", "no"))
    batch = await post(mine, lines(openai_request, 1))
    with pytest.raises(openai.NotFoundError, match=batch.id):
        await theirs.batches.retrieve(batch.id)
    with pytest.raises(openai.NotFoundError, match="No such File"):
        await theirs.files.content(batch.input_file_id)
    assert (await theirs.batches.list()).data == []
    with pytest.raises(openai.AuthenticationError):
        await nobody.batches.retrieve(batch.id)
    with pytest.raises(openai.NotFoundError):
        await mine.get("/files/a/b/c", cast_to=object)


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("", "empty_file", None),
        (line("a", {}) + "\n{\n", "invalid_json_line", 2),
        (line("a", {}) + "\n" + line("a", {}), "duplicate_custom_id", 2),
        (line("a", {}, url="/v1/embeddings"), "url_mismatch", 1),
        (line("a", {"model": "x"}) + "\n" + line("b", {"model": "y"}), "model_mismatch", None),
    ],
)
async def test_a_file_that_is_no_good_fails_the_whole_batch(simulate, gpt, text, code, number):
    simulator = await simulate()
    client = gpt(simulator)
    batch = await post(client, text)
    assert batch.status == "validating"
    failed = await client.batches.retrieve(batch.id)
    assert (failed.status, failed.output_file_id, failed.error_file_id) == ("failed", None, None)
    assert [(each.code, each.line) for each in failed.errors.data] == [(code, number)]
    assert simulator.stats.batches == 0


async def test_files_and_batches_that_the_real_one_refuses(simulate, gpt):
    client = gpt(await simulate())
    with pytest.raises(openai.BadRequestError, match="jsonl"):
        await upload(client, "{}", "papers.csv")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        await client.files.create(file=("x.jsonl", b"{}"), purpose="vision")
    with pytest.raises(openai.BadRequestError, match="boundary"):
        await client.post("/files", body={}, cast_to=object)
    file_id = await upload(client, "{}")
    right = {"input_file_id": file_id, "endpoint": ENDPOINT, "completion_window": "24h"}
    for wrong in (
        {"endpoint": "/v1/embeddings"},
        {"completion_window": "1h"},
        {"metadata": {"a": "b" * 513}},
        {"extra_body": {"colour": "red"}},
    ):
        with pytest.raises(openai.BadRequestError):
            await client.batches.create(**right | wrong)
    with pytest.raises(openai.NotFoundError):
        await client.batches.create(**right | {"input_file_id": "file-x"})
