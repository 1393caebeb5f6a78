"""Words and a model's probabilities together: offered on the pages, marked as provisional."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_kit import RUBRIC, Service, make_engine, serving

from gradeq import ProviderSettings
from gradeq.providers.simulated import Simulator

WITH_REFERENCE = 'reference = "Schools should start later: tired teenagers learn badly."\n' + RUBRIC
TEXTS = ("I like my dog.", "Schools should open later since tired teenagers learn so badly.")
PAGE = "/courses/biology/assignments/sleep"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Of somebody with a server that speaks OpenAI's API."""
    async with Simulator() as simulator:
        provider = ProviderSettings("here", "openai", "m", simulator.url, api_key_env="KEY")
        engine = make_engine(tmp_path, providers=[provider], environ={"KEY": "k"})
        async with serving(engine) as opened:
            yield opened


async def confirm(service: Service, language: str = "en") -> str:
    headers = {"accept-language": language}
    answer = await service.client.post(f"{PAGE}/grade", data={"all": "1"}, headers=headers)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


async def test_it_is_offered_beside_the_model_where_there_is_a_reference(service: Service) -> None:
    await service.add(*TEXTS)
    await service.put_rubric()
    found = re.findall(r'name="way" value="([^"]*)"', await confirm(service))
    assert found == ["now:llm"]
    await service.put_rubric(WITH_REFERENCE)
    page = await confirm(service)
    found = re.findall(r'name="way" value="([^"]*)"', page)
    assert found == ["now:llm", "now:blend", "now:lexical"]
    assert "<strong>m, with a comparison of words</strong>" in page
    assert "provisional: for short answers of up to 200 words" in page
    assert "m, dazu ein Wortvergleich" in await confirm(service, "de")


async def test_ordered_on_the_page_its_grades_say_so(service: Service) -> None:
    ids = await service.add(*TEXTS)
    await service.put_rubric(WITH_REFERENCE)
    answer = await service.client.post(
        f"{PAGE}/order", data={"papers": " ".join(map(str, ids)), "way": "now:blend", "by": "Lee"}
    )
    assert answer.status_code in (200, 303), answer.text
    await service.batch_ended(1)
    grades = [await service.get(f"/api/submissions/{one}/grade") for one in ids]
    assert all("provisional" in grade["flags"] for grade in grades)
    assert all(0 < grade["confidence"] < 1 for grade in grades)
    page = (await service.client.get(f"/submissions/{ids[1]}")).text
    assert 'data-flag="provisional"' in page
    assert "finds probable: clear" in page
