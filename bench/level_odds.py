"""What a model thinks of an answer, in log-odds: one token asked, its probabilities read.

Any server will do that speaks like OpenAI's chat completions and returns logprobs, such as
llama.cpp's. The probabilities of the two answers are compared with each other alone, so that it
does not matter how likely the model finds anything else.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

_SYSTEM = """\
You grade a student's short answer.
Question: {question}
Reference answer: {reference}
Levels:
1: correct. The answer says what the reference answer says, in any words.
2: incorrect. It is wrong, misses the point, or says nothing.
Answer with the number of the level alone."""
_USER = "The student's answer:\n{text}\n\nLevel (1 or 2):"
_UNSEEN = 1e-6
"""Of a level that is not among the tokens told."""


@dataclass(frozen=True, slots=True)
class Asked:
    question: str
    reference: str
    text: str


@dataclass(frozen=True, slots=True)
class Model:
    """Behind `base_url` (with /v1). `timeout` in seconds."""

    base_url: str
    name: str
    key: str = ""
    timeout: float = 300.0

    def odds(self, asked: Asked) -> float:
        """Log-odds of level 1. Raises OSError, or ValueError where no logprobs come back."""
        system = _SYSTEM.format(question=asked.question, reference=asked.reference)
        user = _USER.format(text=asked.text)
        answer = self._post(
            {
                "model": self.name,
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                ],
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": True,
                "top_logprobs": 20,
            }
        )
        chances = level_chances(answer)
        return math.log((chances["1"] + _UNSEEN) / (chances["2"] + _UNSEEN))

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"content-type": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        request = Request(url, json.dumps(body).encode(), headers)
        with build_opener(ProxyHandler({})).open(request, timeout=self.timeout) as answer:
            return json.load(answer)


def level_chances(answer: Any) -> dict[str, float]:
    """The probabilities of "1" and "2" as the first token. Raises ValueError without logprobs."""
    try:
        told = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    except (KeyError, IndexError, TypeError):
        raise ValueError("the server returned no logprobs: it cannot be measured so") from None
    chances = {"1": 0.0, "2": 0.0}
    for one in told:
        level = one["token"].strip()
        if level in chances:
            chances[level] += math.exp(one["logprob"])
    return chances
