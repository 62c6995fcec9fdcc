"""What several inputs are together, and what is refused: one sentence each."""

import json

import pytest

from harness.agree.reading import load
from harness.errors import InputError
from tests.command import environment, harness, world
from tests.harness.agree.sample import judgments
from tests.published import write_lines


def files(folder, *records):
    return [write_lines(folder / f"{place}.jsonl", one) for place, one in enumerate(records)]


def refused(paths):
    with pytest.raises(InputError) as error:
        load(paths)
    return str(error.value)


def test_judges_of_several_files_stand_together_in_the_order_of_their_names(tmp_path):
    paths = files(tmp_path, judgments({"b": "wl"}), judgments({"a": "wt", "control/first": "tt", "human/me": "ww"}))
    found = load(paths)
    assert found.judges == ("a", "b", "control/first", "human/me")
    assert found.prompts == ("p0", "p1")
    assert found.title == "2 inputs taken together"


def test_one_judge_only(tmp_path):
    (path,) = files(tmp_path, judgments({"a": "wl"}))
    assert refused([path]) == f"{path}: holds one judge, 'a'; agreement needs two: add another judge's file"


def test_one_judge_in_two_files(tmp_path):
    paths = files(tmp_path, judgments({"a": "wl"}), judgments({"a": "wl"}, prefix="q"))
    assert refused(paths).startswith("these inputs hold one judge, 'a'; agreement needs two")


def test_judges_that_share_no_prompt(tmp_path):
    paths = files(tmp_path, judgments({"a": "wl"}), judgments({"b": "wl"}, prefix="q"))
    said = refused(paths)
    assert said.startswith(
        "no two judges have a usable verdict on the same prompt (the first of each: a 'p0' and b 'q0')"
    )


def test_no_usable_verdict(tmp_path):
    (path,) = files(tmp_path, judgments({"a": "??", "b": "?"}))
    assert refused([path]) == "none of 6 judgments is usable (6 invalid_parse); judge again"


def test_a_judgment_in_two_files_is_said_once(tmp_path):
    paths = files(tmp_path, judgments({"a": "wl", "b": "wl"}), judgments({"a": "wl"}))
    assert refused(paths) == (
        f"{paths[1]}: the judgment (p0, a, candidate_first, 0) stands already in {paths[0]}; keep one of them "
        "(and 3 more judgments of these files)"
    )


def test_a_file_given_twice(tmp_path):
    (path,) = files(tmp_path, judgments({"a": "wl", "b": "wl"}))
    assert refused([path, path]) == f"{path}: was given 2 times; give it once"


def test_repeated_human_labels_are_an_error_unless_they_are_repeats(tmp_path):
    twice = [{"id": "p0", "judge": "human/me", "winner": "tie"}] * 2
    (path,) = files(tmp_path, [*judgments({"a": "w"}), *twice])
    assert refused([path]).startswith(f"{path}:4: the key (p0, human/me, 0) stands already on line 3")
    repeats = [{**record, "repeat": place} for place, record in enumerate(twice)]
    (path,) = files(tmp_path, [*judgments({"a": "w"}), *repeats])
    assert load([path]).judges == ("a", "human/me")


def test_other_contestants_of_one_prompt(tmp_path):
    first = [{**record, "candidate": "new", "baseline": "old"} for record in judgments({"a": "wl"})]
    second = [{**record, "candidate": "old", "baseline": "new"} for record in judgments({"b": "wl"})]
    paths = files(tmp_path, first, second)
    assert refused(paths).startswith(
        f"{paths[1]}: prompt 'p0' compares 'old' against 'new', in {paths[0]} 'new' against 'old'; "
    )


def test_a_page_that_is_not_there_yet(tmp_path):
    said = refused([tmp_path / "page.html"])
    assert said.endswith(
        f"there is no such file; to write the page there: harness agree … --html > {tmp_path}/page.html"
    )


def test_problems_of_all_files_come_together(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}\n")
    said = refused([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert f"{tmp_path}/a.jsonl:1: " in said and f"{tmp_path}/b.jsonl: there is no such file" in said


def test_a_prompt_counts_in_its_most_frequent_category(tmp_path):
    records = judgments({"a": "w", "b": "w"}, category=lambda place: "rare")
    for record in records[:3]:
        record["category"] = "often"
    found = load(files(tmp_path, records))
    assert found.categories == {"p0": "often"}
    assert found.notes == ("1 prompt with several categories: the most frequent one counts",)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    suite = world(folder, 6, judges="[rubric, control/longest, control/first]")
    prompts = folder / "prompts.jsonl"
    lines = [json.loads(line) for line in prompts.read_text().splitlines()]
    write_lines(prompts, [{**line, "cluster": "one" if place < 2 else line["id"]} for place, line in enumerate(lines)])
    done = harness("run", suite, "--out", folder / "run", "--judge", "control/longest", "--judge", "control/first",
                   env=environment(folder))  # fmt: skip
    assert (folder / "run" / "judgments.jsonl").exists(), done.err
    return folder / "run"


def test_a_run_with_human_labels_beside_it(run, tmp_path):
    (labels,) = files(
        tmp_path, [{"id": f"p00{place}", "judge": "human/me", "winner": "candidate"} for place in range(3)]
    )
    found = load([run, labels])
    assert found.judges == ("control/first", "control/longest", "human/me")
    assert found.clusters["p000"] == found.clusters["p001"] == "one"
    assert found.categories["p000"] == "even"
    assert found.texts["p000"].turns == ("How is dish 0 made?",) and found.complete


def test_the_last_line_of_a_key_counts_in_a_run(run, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for file in run.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    lines = (copy / "judgments.jsonl").read_text().splitlines()
    last = next(json.loads(line) for line in lines if "control/longest" in line)
    changed = {**last, "verdict": "tie", "winner": "tie"}
    with (copy / "judgments.jsonl").open("a") as file:
        file.write(json.dumps(changed) + "\n")
    said = [row for row in load([copy]).rows if row[:4] == (last["id"], last["judge"], last["order"], 0)]
    assert [row.winner for row in said] == ["tie"]
