"""The simulated marker: fills any strict JSON schema with what it finds in a paper.

It reads the paper as text to be judged. Nothing in it is ever taken for an instruction: levels
come from counting, and sentences that speak to the marker are not even counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from gradeq.providers.simulated.judging import (
    Glance,
    Judgement,
    Topic,
    feedback,
    judge,
    topic_of,
)
from gradeq.providers.simulated.reading import Reading
from gradeq.providers.simulated.schema import Schema, branches, follow, kind_of

_MAX_DEPTH = 8
"""Nesting after which a schema that contains itself is filled with as little as it allows."""
_ABSTAIN = re.compile(r"cannot|can't|not[ _]assess|unable|insufficient|^n/?a$", re.IGNORECASE)
_FEEDBACK = re.compile(r"feedback|comment|summary|overall|advice", re.IGNORECASE)
_QUOTE = re.compile(r"evidence|quote|citation|excerpt", re.IGNORECASE)
_VERDICT = re.compile(
    r"^(level|score|points?|grade|mark|rating|value|result|verdict|met)$", re.IGNORECASE
)
_DENIALS = frozenset({"unmet", "not met", "no", "absent", "not present", "not found", "false"})
_ASSENTS = frozenset({"met", "yes", "present", "found", "true"})
_CHAT_TOPICS = ("argument", "evidence", "language")


class Sheet:
    """One paper under the marker's eyes; each criterion is judged once."""

    def __init__(self, judge: Callable[[Topic], Judgement], topics: list[Topic]) -> None:
        self._judge = judge
        self._topics = topics
        self._judged: dict[str, Judgement] = {}

    def judge(self, topic: Topic) -> Judgement:
        judgement = self._judged.get(topic.name)
        if judgement is None:
            judgement = self._judged[topic.name] = self._judge(topic)
        return judgement

    def feedback(self) -> str:
        return feedback([self.judge(topic) for topic in self._topics])


Filler = Callable[[Sheet], Any]


class AnswerPlan:
    """A schema made ready: filled again and again, once for each paper."""

    def __init__(self, marker: Marker, topics: list[Topic], filler: Filler | None) -> None:
        self._marker = marker
        self._topics = topics
        self._filler = filler

    def fill(self, paper: str) -> Any:
        """The answer as JSON data. Without a schema: the text."""
        sheet = self._sheet(paper)
        return self._filler(sheet) if self._filler is not None else sheet.feedback()

    def text(self, paper: str) -> str:
        """The answer in plain words."""
        return self._sheet(paper).feedback()

    def _sheet(self, paper: str) -> Sheet:
        return Sheet(self._marker.eye_on(paper), self._topics)


class Marker:
    """Makes plans. The same seed, schema, system prompt and paper give the same answer.

    With `glances`, papers are not read: several times as fast, and the levels mean nothing.
    """

    def __init__(self, seed: int = 0, *, glances: bool = False) -> None:
        self._seed = seed
        self._glances = glances

    def eye_on(self, paper: str) -> Callable[[Topic], Judgement]:
        """What judges the criteria of one paper."""
        if self._glances:
            return Glance(paper, self._seed).judge
        reading = Reading(paper)
        return lambda topic: judge(topic, reading, self._seed)

    def plan(self, schema: Schema | None, system: str) -> AnswerPlan:
        """A plan for answers that fit `schema`; None: plain text."""
        if schema is None:
            chat = [topic_of(name, "", system) for name in _CHAT_TOPICS]
            return AnswerPlan(self, chat, None)
        builder = _Builder(schema, system)
        filler = builder.build(schema, topic_of("", "", system), "", 0)
        return AnswerPlan(self, builder.topics, filler)


class _Builder:
    """Turns a schema into one function that fills it."""

    def __init__(self, root: Schema, system: str) -> None:
        self._root = root
        self._system = system
        self.topics: list[Topic] = []

    def build(self, schema: Schema, topic: Topic, name: str, depth: int) -> Filler:
        schema = self._settled(schema, depth)
        if "const" in schema:
            return _always(schema["const"])
        if schema.get("enum"):
            return self._enum(list(schema["enum"]), topic)
        kind = kind_of(schema)
        if kind == "object":
            return self._object(schema, topic, depth)
        if kind == "array":
            return self._array(schema, topic, name, depth)
        return self._plain(kind, schema, topic, name)

    def _settled(self, schema: Schema, depth: int = 0) -> Schema:
        """Follow references, choose an alternative, put the parts of an allOf together."""
        for _ in range(_MAX_DEPTH):
            if "$ref" in schema:
                schema = follow(schema, self._root)
            elif branches(schema):
                schema = branches(schema)[0 if depth < _MAX_DEPTH else -1]
            elif schema.get("allOf"):
                parts = [self._settled(part) for part in schema["allOf"]]
                schema = _merged([*parts, {k: v for k, v in schema.items() if k != "allOf"}])
            else:
                break
        return schema

    def _object(self, schema: Schema, topic: Topic, depth: int) -> Filler:
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        if depth >= _MAX_DEPTH:
            required = schema.get("required") or ()
            properties = {name: part for name, part in properties.items() if name in required}
        if depth >= 2 * _MAX_DEPTH:
            return _always({})
        alone = len(properties) == 1
        parts = []
        for name, part in properties.items():
            about = self._topic(name, part, topic, alone=alone)
            parts.append((name, self.build(part, about, name, depth + 1)))
        return lambda sheet: {name: fill(sheet) for name, fill in parts}

    def _topic(self, name: str, part: Schema, topic: Topic, *, alone: bool) -> Topic:
        """What a property is about: itself, or what the object around it is about."""
        part = self._settled(part)
        kind = kind_of(part)
        if kind == "object":
            fault = any(_denies_first(self._settled(leaf)) for leaf in _leaves(part))
            return self._new_topic(name, part, is_fault=fault)
        judged = part.get("enum") or kind in ("integer", "number", "boolean")
        if judged and not _VERDICT.match(name) and not alone:
            return self._new_topic(name, part, is_fault=_denies_first(part))
        return topic

    def _new_topic(self, name: str, part: Schema, *, is_fault: bool) -> Topic:
        description = str(part.get("description") or "")
        return topic_of(name, description, self._system, is_fault=is_fault)

    def _judged(self, topic: Topic) -> Topic:
        if topic not in self.topics:
            self.topics.append(topic)
        return topic

    def _enum(self, options: list[Any], topic: Topic) -> Filler:
        topic = self._judged(topic)
        levels = [each for each in options if not _ABSTAIN.search(str(each))] or options
        abstention = next((each for each in options if _ABSTAIN.search(str(each))), levels[-1])

        def fill(sheet: Sheet) -> Any:
            judgement = sheet.judge(topic)
            if judgement.abstains:
                return abstention
            step = int((1.0 - judgement.score) * len(levels))
            return levels[min(step, len(levels) - 1)]

        return fill

    def _array(self, schema: Schema, topic: Topic, name: str, depth: int) -> Filler:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 2)
        items = self._settled(schema.get("items") or {"type": "string"})
        if kind_of(items) == "string" and not {"enum", "const"} & items.keys():
            return lambda sheet: [
                _sized(quote, items) for quote in _strings(sheet.judge(topic).quotes, least, most)
            ]
        count = least if depth >= _MAX_DEPTH else max(least, min(2, most))
        if count == 0:
            return _always([])
        fill = self.build(items, topic, name, depth + 1)
        return lambda sheet: [fill(sheet) for _ in range(count)]

    def _plain(self, kind: str, schema: Schema, topic: Topic, name: str) -> Filler:
        if kind == "null":
            return _always(None)
        if kind == "string":
            return _string(schema, topic, name)
        topic = self._judged(topic)
        if kind == "boolean":
            return lambda sheet: (sheet.judge(topic).score >= 0.5) is not topic.is_fault
        low, high, step = _range(schema, whole=kind == "integer")

        def number(sheet: Sheet) -> float:
            value = _stepped(low, high, step, sheet.judge(topic).score)
            return int(value) if kind == "integer" else value

        return number


def _always(value: Any) -> Filler:
    return lambda _sheet: value


def _string(schema: Schema, topic: Topic, name: str) -> Filler:
    def fill(sheet: Sheet) -> str:
        if _FEEDBACK.search(name) or not (name or topic.name):
            text = sheet.feedback()
        elif _QUOTE.search(name):
            text = next(iter(sheet.judge(topic).quotes), "")
        else:
            text = sheet.judge(topic).reason
        return _sized(text, schema)

    return fill


def _sized(text: str, schema: Schema) -> str:
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _strings(found: tuple[str, ...], least: int, most: int) -> tuple[str, ...]:
    missing = max(0, least - len(found))
    return (found + ("",) * missing)[: max(least, most)]


def _range(schema: Schema, *, whole: bool) -> tuple[float, float, float]:
    """Lowest and highest value, and the step between values (0: any)."""
    step = float(schema.get("multipleOf") or (1 if whole else 0))
    edge = step or 0.01
    low = _bound(schema, "minimum", "exclusiveMinimum", edge)
    high = _bound(schema, "maximum", "exclusiveMaximum", -edge)
    if low is None:
        low = 0.0 if high is None or high >= 0 else high - 10
    return low, (low + 10 if high is None else high), step


def _bound(schema: Schema, inclusive: str, exclusive: str, edge: float) -> float | None:
    if inclusive in schema:
        return float(schema[inclusive])
    return float(schema[exclusive]) + edge if exclusive in schema else None


def _stepped(low: float, high: float, step: float, score: float) -> float:
    value = low + score * (high - low)
    if not step:
        return round(value, 2)
    first, last = math.ceil(low / step), math.floor(high / step)
    return min(max(round(value / step), first), last) * step


def _leaves(schema: Schema) -> list[Schema]:
    return list((schema.get("properties") or {}).values())


def _denies_first(schema: Schema) -> bool:
    """True for an enum whose best level says no: a criterion that costs points."""
    levels = [str(each).lower().replace("_", " ") for each in schema.get("enum") or ()]
    levels = [each for each in levels if not _ABSTAIN.search(each)]
    return len(levels) > 1 and (levels[0] in _DENIALS or levels[-1] in _ASSENTS)


def _merged(parts: list[Schema]) -> Schema:
    merged: dict[str, Any] = {}
    for part in parts:
        for word, value in part.items():
            if isinstance(value, Mapping) and isinstance(merged.get(word), Mapping):
                merged[word] = {**merged[word], **value}
            else:
                merged[word] = value
    return merged
