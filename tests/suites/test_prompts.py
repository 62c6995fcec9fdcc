"""The suites for real models hold what they promise: enough prompts, evenly spread, no two alike, right answers.

The files are read here as plain YAML and JSON, so that these tests speak of the data alone and not of the loader.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations, pairwise, permutations, product
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "suites"
PUBLISHED = ROOT.parent / "shared" / "data"
NAMES = ("philosophy", "general", "comprehensive")
SUITE_KEYS = {"name", "kind", "prompts", "orders", "repeats", "sampling", "equivalence", "seed"}
PROMPT_KEYS = {"id", "prompt", "category", "reference", "sampling", "repeats"}
CATEGORIES = {
    "philosophy": dict.fromkeys(("philosophy", "brainstorming", "contemplative", "creative"), 12),
    "general": dict.fromkeys(("coding", "mathematics", "practical", "reasoning", "factual", "creative"), 9),
    "comprehensive": {
        **dict.fromkeys(("philosophy", "brainstorming", "contemplative"), 10),
        **dict.fromkeys(("creative", "temperature_low", "temperature_high", "tokens_short", "tokens_long"), 8),
        "reproducibility": 6,
    },
}

Row = dict[str, Any]


def suite(name: str) -> Any:
    return yaml.safe_load((SUITES / f"{name}.yaml").read_text(encoding="utf-8"))


def prompts(name: str) -> list[Row]:
    lines = (SUITES / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


EVERY = [row for name in NAMES for row in prompts(name)]
BY_ID = {row["id"]: row for row in EVERY}


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_leaves_the_models_and_the_judge_to_the_command_line(name: str) -> None:
    loaded = suite(name)
    assert set(loaded) == SUITE_KEYS
    assert (loaded["name"], loaded["kind"], loaded["orders"]) == (name, "pairwise", "both")
    assert (SUITES / loaded["prompts"]).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_categories_and_their_sizes_are_as_promised(name: str) -> None:
    assert Counter(row["category"] for row in prompts(name)) == CATEGORIES[name]


def test_ids_are_unique_across_the_suites() -> None:
    assert len(EVERY) == 178
    assert len(BY_ID) == len(EVERY)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)?-\d\d", id_) for id_ in BY_ID)


def test_a_prompt_carries_known_keys_and_clean_text() -> None:
    for row in EVERY:
        assert set(row) <= PROMPT_KEYS, row["id"]
        assert row["prompt"] == row["prompt"].strip(), row["id"]
        assert len(words(row["prompt"])) >= 5, row["id"]


def test_no_two_prompts_are_near_duplicates() -> None:
    bags = [(row["id"], set(words(row["prompt"]))) for row in EVERY]
    alike = [(a, b) for (a, left), (b, right) in combinations(bags, 2) if len(left & right) > 0.7 * len(left | right)]
    assert alike == []


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_is_sampled_within_sane_ranges(name: str) -> None:
    usual = suite(name)["sampling"]
    for row in prompts(name):
        settings = usual | row.get("sampling", {})
        assert set(settings) == {"temperature", "max_tokens"}, row["id"]
        assert 0.0 < settings["temperature"] <= 1.0, row["id"]
        assert 256 <= settings["max_tokens"] <= 2048, row["id"]
        assert 1 <= row.get("repeats", 1) <= 5, row["id"]


def test_the_comprehensive_suite_varies_one_setting_at_a_time() -> None:
    seen: dict[str, set[tuple[float, int, int]]] = {}
    for row in prompts("comprehensive"):
        setting = (row["sampling"]["temperature"], row["sampling"]["max_tokens"], row.get("repeats", 1))
        seen.setdefault(row["category"], set()).add(setting)
    assert seen == {
        **{kind: {(0.75, 512, 1)} for kind in ("philosophy", "brainstorming", "contemplative", "creative")},
        "temperature_low": {(0.5, 512, 1)},
        "temperature_high": {(1.0, 512, 1)},
        "tokens_short": {(0.75, 256, 1)},
        "tokens_long": {(0.75, 1024, 1), (0.75, 2048, 1)},
        "reproducibility": {(0.75, 512, 3)},
    }


def test_a_reference_is_never_empty_and_stands_wherever_an_answer_can_be_checked() -> None:
    assert all(row["reference"].strip() for row in EVERY if "reference" in row)
    given = Counter(row["category"] for row in prompts("general") if "reference" in row)
    assert given == {"coding": 7, "mathematics": 9, "reasoning": 7, "factual": 8}


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published evaluation data are not beside this checkout")
def test_no_run_of_six_words_stands_in_a_published_prompt() -> None:
    published = {run for text in published_prompts() for run in runs(text)}
    assert len(published) > 1000
    shared = [(row["id"], run) for row in EVERY for run in runs(row["prompt"]) if run in published]
    assert shared == []


def published_prompts() -> Iterator[str]:
    for path in sorted(PUBLISHED.glob("brie_0_5b*/*.jsonl")):
        yield from (json.loads(line).get("prompt", "") for line in path.read_text(encoding="utf-8").splitlines())
    for line in (PUBLISHED / "mt_bench" / "question.jsonl").read_text(encoding="utf-8").splitlines():
        yield from json.loads(line)["turns"]


def runs(text: str, length: int = 6) -> Iterator[tuple[str, ...]]:
    found = words(text)
    return (tuple(found[start : start + length]) for start in range(len(found) - length + 1))


def pond() -> str:
    return next(f"{4 * width + 8} m" for width in range(1, 96) if width * (width + 4) == 96)


def different_digits() -> str:
    return f"{sum(len(set(str(number))) == 4 for number in range(1000, 10000))}: "


def highest_is_four() -> str:
    rolls = list(product(range(1, 7), repeat=3))
    return str(Fraction(sum(max(roll) == 4 for roll in rolls), len(rolls)))


def logarithms() -> str:
    roots = [x for x in range(1, 100) if math.isclose(math.log2(x + 6) + math.log2(x), 4)]
    return "x = " + ", ".join(map(str, roots))


def tank() -> str:
    return f"{1 / (Fraction(1, 6) + Fraction(1, 4) - Fraction(1, 12))} hours"


def horizontal_tangents() -> str:
    def value(x: float) -> float:
        return x**2 * math.exp(3 * x)

    level = [Fraction(k, 3) for k in range(9, -10, -1) if abs(value(k / 3 + 1e-6) - value(k / 3 - 1e-6)) < 1e-14]
    return " and ".join(f"x = {x}".replace("-", "−") for x in level)


def remainder() -> str:
    return f"{7**100 % 13}: "


def hexagon() -> str:
    corners = [(6 * math.cos(k * math.pi / 3), 6 * math.sin(k * math.pi / 3)) for k in range(7)]
    area = sum(a * d - b * c for (a, b), (c, d) in pairwise(corners)) / 2
    radius = math.hypot(*((p + q) / 2 for p, q in zip(*corners[:2], strict=True)))
    left = area - math.pi * radius**2
    assert math.isclose(left, 54 * math.sqrt(3) - 27 * math.pi)
    return f"54√3 − 27π square centimetres, about {left:.2f}"


def pets() -> str:
    [(baker, tailor, smith)] = {
        (baker, tailor, smith)
        for baker, tailor, smith in permutations(("cat", "parrot", "tortoise"))
        for age in (dict(zip(("cat", "parrot", "tortoise"), ages, strict=True)) for ages in permutations((1, 2, 3)))
        if baker != "parrot" and age[tailor] > age[baker] > age[smith] and age["tortoise"] == 1
    }
    return f"The smith owns the {smith}, the baker the {baker}, the tailor the {tailor}"


def coaches() -> str:
    kinds = ("mail", "luggage", "dining", "sleeping", "seating")
    [order] = [
        row
        for row in permutations(kinds)
        for at in ({kind: row.index(kind) for kind in kinds},)
        if at["mail"] in (0, 4)
        and abs(at["luggage"] - at["mail"]) == 1
        and at["luggage"] < at["dining"]
        and at["sleeping"] - at["dining"] == 1
        and abs(at["seating"] - at["dining"]) != 1
    ]
    return ", ".join(order).capitalize()


def beetles() -> str:
    infested, healthy = Fraction(1, 50), Fraction(49, 50)
    right, wrong = infested * Fraction(90, 100), healthy * Fraction(5, 100)
    return f"About {float(100 * right / (right + wrong)):.0f} %"


def coin() -> str:
    [box] = [box for box in "ABC" if (box == "B") + (box != "B") + (box != "A") == 1]
    return f"In box {box}"


def trees() -> str:
    rows = [
        row
        for row in permutations(("birch", "elm", "oak", "pine", "yew"))
        if row.index("oak") < row.index("elm") < row.index("birch") < row.index("yew")
        and row.index("pine") < row.index("birch")
    ]
    [shortest] = {row[-1] for row in rows}
    return f"The tallest is the {' or the '.join(sorted({row[0] for row in rows}))}; the {shortest} is"


ANSWERS: dict[str, Callable[[], str]] = {
    "math-01": pond,
    "math-02": different_digits,
    "math-03": highest_is_four,
    "math-05": logarithms,
    "math-06": tank,
    "math-07": horizontal_tangents,
    "math-08": remainder,
    "math-09": hexagon,
    "reas-01": pets,
    "reas-03": coaches,
    "reas-05": beetles,
    "reas-06": coin,
    "reas-08": trees,
}


@pytest.mark.parametrize("id_", ANSWERS)
def test_a_reference_holds_the_answer_found_by_a_second_way(id_: str) -> None:
    assert ANSWERS[id_]() in BY_ID[id_]["reference"]
