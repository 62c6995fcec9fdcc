"""Questions and reference answers as FastChat publishes them: read as they are, and every problem with its line."""

from __future__ import annotations

from collections import Counter

import pytest

from harness import fastchat
from harness.errors import InputError
from harness.suite import load
from tests.command import environment, harness
from tests.published import DATA, lines, needs_data, reference, write_lines

PUBLISHED = DATA / "mt_bench"
REFERENCES = PUBLISHED / "reference_answer_gpt-4.jsonl"


def question(number, turns=2, **more):
    texts = [f"Question {number}, part {part}?" for part in range(1, turns + 1)]
    return {"question_id": number, "category": "cooking", "turns": texts, **more}


def answer(number, *turns):
    return {"question_id": number, "answer_id": "x", "model_id": "m", "choices": [{"index": 0, "turns": list(turns)}]}


def world(folder, questions, **files):
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "question.jsonl", questions)
    for name, rows in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        write_lines(path.with_name(path.name + ".jsonl"), rows)
    return folder


def suite(folder, prompts):
    path = folder / "suite.yaml"
    path.write_text(f"name: mine\nkind: score\nprompts: {prompts}\n")
    return path


@needs_data
def test_the_published_files_are_read_as_they_are():
    known = reference("mt_bench")
    prompts, problems = fastchat.load(PUBLISHED)
    assert problems == []
    assert len(prompts) == known["n_questions"]
    assert Counter(prompt.category for prompt in prompts) == known["category_counts"]
    assert Counter(str(len(prompt.turns)) for prompt in prompts) == known["turns_per_question"]
    assert [int(prompts[0].id), int(prompts[-1].id)] == known["question_id_range"]


@needs_data
def test_the_reference_file_comes_before_what_stands_inline():
    known = reference("mt_bench")
    prompts = {prompt.id: prompt for prompt in fastchat.load(PUBLISHED)[0]}
    filed = {str(row["question_id"]): row["choices"][0]["turns"] for row in lines(REFERENCES)}
    inline = {str(row["question_id"]): row.get("reference") for row in lines(PUBLISHED / "question.jsonl")}
    assert len(filed) == known["n_reference_answers"]
    assert sum(bool(texts) for texts in inline.values()) == known["questions_with_inline_reference"]
    by_category = Counter(prompts[name].category for name in filed)
    assert by_category == known["reference_answer_categories"]
    for name, prompt in prompts.items():
        for place, text in enumerate(prompt.reference):
            in_file = filed.get(name, ["", ""])[place]
            beside = (inline[name] or ["", ""])[place] if place < len(inline[name] or []) else ""
            assert text == (in_file if in_file.strip() else beside if beside.strip() else "")
        assert bool(prompt.reference) == bool(name in filed or any(t.strip() for t in inline[name] or []))
    assert sum(bool(prompt.reference) for prompt in prompts.values()) == len(
        filed.keys() | {name for name, texts in inline.items() if texts}
    )


@needs_data
def test_a_suite_of_the_published_files_is_valid_and_can_be_planned(tmp_path):
    path = suite(tmp_path, f"{{fastchat: {PUBLISHED}}}")
    env = environment(tmp_path)
    assert harness("validate", path, env=env).code == 0
    asked = ("run", path, "--candidate", "openai/x", "--judge", "openai/y", "--dry-run", "--json")
    planned = harness(*asked, env=env).json
    assert (planned["n_prompts"], planned["answers"], planned["gradings"]) == (80, 160, 160)
    drawn = harness(*asked, "--limit", "16", env=env).json
    assert drawn["n_prompts"] == 16


def test_a_file_or_its_folder_is_the_same(tmp_path):
    world(tmp_path, [question(1), question("two", turns=1)])
    here, there = fastchat.load(tmp_path), fastchat.load(tmp_path / "question.jsonl")
    assert here == there
    assert [(prompt.id, len(prompt.turns), prompt.category) for prompt in here[0]] == [
        ("1", 2, "cooking"),
        ("two", 1, "cooking"),
    ]
    assert [prompt.reference for prompt in here[0]] == [(), ()]


def test_inline_references_alone(tmp_path):
    asked = [
        question(1, reference=["a", "b"]),
        question(2, reference=["", "b"]),
        question(3, reference=["a"]),
        question(4, reference=[]),
        question(5, reference=None),
        question(6, reference=["", " "]),
        question(7, turns=1, reference="a"),
    ]
    prompts, problems = fastchat.load(world(tmp_path, asked))
    assert problems == []
    assert [prompt.reference for prompt in prompts] == [("a", "b"), ("", "b"), ("a", ""), (), (), (), ("a",)]


@pytest.mark.parametrize("name", ["reference_answer__gpt-4", "reference_answer_gpt-4", "reference_answer"])
def test_a_reference_file_is_found_where_fastchat_puts_it(tmp_path, name):
    rows = [answer(1, "from the file", ""), answer(9, "of no question here")]
    found = fastchat.load(world(tmp_path, [question(1, reference=["inline", "inline 2"]), question(2)], **{name: rows}))
    # A turn that the file leaves empty has the inline one.
    assert [prompt.reference for prompt in found[0]] == [("from the file", "inline 2"), ()]
    assert found[1] == []


def test_a_reference_file_may_be_named(tmp_path):
    folder = world(tmp_path, [question(1)], reference_answer__a=[answer(1, "a", "a")], mine=[answer(1, "b", "")])
    path = suite(tmp_path, "{fastchat: ., references: mine.jsonl}")
    assert load(path).prompts[0].reference == ("b", "")
    assert fastchat.load(folder)[0][0].reference == ("a", "a")


def test_of_two_reference_files_none_is_guessed(tmp_path):
    files = {"reference_answer__a": [answer(1, "a")], "reference_answer_b": [answer(1, "b")]}
    _, problems = fastchat.load(world(tmp_path, [question(1)], **files))
    (problem,) = problems
    assert "several reference files lie beside it (a.jsonl, reference_answer_b.jsonl); name one" in problem.what
    assert "references: FILE" in problem.what


def test_a_reference_file_that_is_not_there_is_named(tmp_path):
    world(tmp_path, [question(1)])
    done = harness("validate", suite(tmp_path, "{fastchat: ., references: none.jsonl}"), env=environment(tmp_path))
    assert done.code == 2
    assert "none.jsonl: there is no such file; check 'references'" in done.out + done.err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"question_id": 2', "is not JSON"),
        ("[1]", "is no JSON object"),
        ('{"turns": ["x"]}', "'question_id' must be a number or a text, found None"),
        ('{"question_id": true, "turns": ["x"]}', "'question_id' must be a number or a text, found True"),
        ('{"question_id": 2}', "'turns' must be a list of at least one text, found None"),
        ('{"question_id": 2, "turns": []}', "'turns' must be a list of at least one text, found []"),
        ('{"question_id": 2, "turns": ["x", " "]}', "'turns' must be a list of at least one text"),
        ('{"question_id": 2, "turns": "x"}', "'turns' must be a list of at least one text, found 'x'"),
        ('{"question_id": "1", "turns": ["x"]}', "question_id 1 stands twice; keep one"),
        ('{"question_id": 2, "turns": ["x"], "reference": {"a": 1}}', "'reference' must be a list of texts"),
        ('{"question_id": 2, "turns": ["x"], "reference": ["a", "b"]}', "'reference' has 2 texts for 1 turns"),
    ],
)
def test_a_broken_question_is_named_with_its_line(tmp_path, row, says):
    folder = world(tmp_path, [question(1)])
    with (folder / "question.jsonl").open("a") as file:
        file.write("\n" + row + "\n")
    done = harness("validate", suite(tmp_path, "{fastchat: .}"), env=environment(tmp_path))
    assert done.code == 2
    (line,) = [line for line in (done.out + done.err).splitlines() if "question.jsonl" in line]
    assert "question.jsonl:3: " in line
    assert says in line


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question_id": 2, "choices": []}, "is no reference answer; it needs 'question_id' and 'choices'"),
        ({"question_id": 2, "choices": [{"turns": "x"}]}, "is no reference answer"),
        ({"choices": [{"turns": ["x"]}]}, "is no reference answer"),
        (answer(1, "again"), "question_id 1 stands twice; keep one"),
    ],
)
def test_a_broken_reference_is_named_with_its_line(tmp_path, row, says):
    world(tmp_path, [question(1)], reference_answer=[answer(1, "a", "b"), row])
    with pytest.raises(InputError) as error:
        load(suite(tmp_path, "{fastchat: .}"))
    assert f"reference_answer.jsonl:2: {says}" in str(error.value)


def test_every_problem_is_found_at_once(tmp_path):
    asked = [question(1), {"question_id": 2}, {"turns": ["x"]}]
    _, problems = fastchat.load(world(tmp_path, asked, reference_answer=[{"x": 1}]))
    assert [(problem.path.rsplit("/", 1)[-1], problem.line) for problem in problems] == [
        ("reference_answer.jsonl", 1),
        ("question.jsonl", 2),
        ("question.jsonl", 3),
    ]


@pytest.mark.parametrize(
    ("text", "says"), [(None, "there is no such file; give FastChat's question.jsonl"), ("", "no questions")]
)
def test_nothing_to_ask_is_said(tmp_path, text, says):
    if text is not None:
        (tmp_path / "question.jsonl").write_text(text)
    prompts, problems = fastchat.load(tmp_path)
    assert (prompts, len(problems)) == ([], 1)
    assert says in problems[0].what


def test_a_translation_is_read_letter_by_letter(tmp_path):
    texts = ["Как сварить борщ — и сколько?", "А с чем его подают? «Со сметаной» — не ответ."]
    folder = world(
        tmp_path, [question(1) | {"turns": texts, "category": "кухня"}], reference_answer=[answer(1, "Долго.", "")]
    )
    (prompt,), problems = fastchat.load(folder)
    assert problems == []
    assert (prompt.turns, prompt.category, prompt.reference) == (tuple(texts), "кухня", ("Долго.", ""))


def test_other_keys_beside_fastchat_are_errors(tmp_path):
    world(tmp_path, [question(1)])
    done = harness("validate", suite(tmp_path, "{fastchat: ., reference: x}"), env=environment(tmp_path))
    assert (done.code, "suite.yaml:3" in done.out + done.err) == (2, True)
