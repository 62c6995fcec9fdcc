"""--set on suites: values as YAML, files from the working directory, problems at the option that brought them."""

import json

import pytest

from harness.classify.suite import load as load_classify
from harness.errors import InputError
from harness.matrix.suite import load as load_matrix
from harness.overrides import read
from tests.command import environment, harness
from tests.harness.classify.test_runs import made
from tests.harness.matrix.test_suite import written
from tests.published import write_lines


def test_values_are_yaml_and_the_file_stays_as_it_is(tmp_path):
    path = made(tmp_path, split={"holdout": 0.2})
    before = path.read_text()
    values, line_of = read(path, ["split.seed=3", "on=all", "split={folds: 5, fold: 1}", "split.seed=4"])
    assert (values["split"], values["on"]) == ({"folds": 5, "fold": 1, "seed": 4}, "all")
    assert line_of(["split"]) == 1
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("task.recipe_mpr=500QA.json", "{here}/500QA.json"),
        ("task.files=rows.csv", "{here}/rows.csv"),
        ("task.files={train: a.csv, test: b.csv}", {"train": "{here}/a.csv", "test": "{here}/b.csv"}),
        ("task={files: rows.csv, text: t, label: l}", {"files": "{here}/rows.csv", "text": "t", "label": "l"}),
        ("task.hub=owner/name", "owner/name"),
        ("method.template=own.md", "{here}/own.md"),
        ("method.template=sst2", "sst2"),
        ("candidate=recorded/said.jsonl", "recorded/{here}/said.jsonl"),
        ("candidate=hf/owner/name", "hf/owner/name"),
        ("candidate=hf/near+owner/name", "hf/{here}/near+owner/name"),
        ("candidate=openai/near", "openai/near"),
        ("tasks.one.task.test=b.jsonl", "{here}/b.jsonl"),
        ("tasks.one.template=own.md", "{here}/own.md"),
        ("models.big.language=recipe/own.yaml", "recipe/{here}/own.yaml"),
        ("name=rows.csv", "rows.csv"),
    ],
)
def test_files_are_those_of_the_working_directory(tmp_path, monkeypatch, change, found):
    here = tmp_path / "here"
    (here / "near").mkdir(parents=True)
    suite = made(tmp_path / "suite")
    monkeypatch.chdir(here)
    values, _ = read(suite, [change])
    for step in change.partition("=")[0].split("."):
        values = values[step]
    assert values == json.loads(json.dumps(found).replace("{here}", str(here)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("on=some", "--set on=some: on: input should be 'train', 'validation', 'test' or 'all', found 'some'"),
        ("task.files.test=none.jsonl", "--set task.files.test=none.jsonl: there is no file "),
        ("judges=[rubric]", "--set judges=[rubric]: unknown key 'judges'; known keys: name, kind"),
        ("name.first=a", "--set 'name.first=a': 'name' of the suite is no mapping; set it as a whole"),
        ("method.template=none", "--set method.template=none: there is no classification template 'none'"),
        ("candidate=rubric", "--set candidate=rubric: 'rubric' cannot be a candidate"),
    ],
)
def test_a_problem_stands_at_the_option_it_came_by(tmp_path, change, said):
    with pytest.raises(InputError) as caught:
        load_classify(made(tmp_path), [change])
    assert said in str(caught.value)


def test_a_matrix_is_changed_alike(tmp_path):
    path = written(tmp_path)
    suite = load_matrix(path, changes=["seed=9", "modes.few-shot.method.shots=2", "exclude=[]"])
    assert (suite.keys.seed, len(suite.cells())) == (9, 2 * (1 + 3 + 3))
    assert load_matrix(path).keys.seed == 0
    with pytest.raises(InputError, match=r"--set models\.bert=3: models\.bert: input should be a valid dictionary"):
        load_matrix(path, changes=["models.bert=3"])


def test_a_missing_file_has_one_sentence_with_the_way_out(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nkind: classify\ntask:\n  recipe_mpr: data/500QA.json\n")
    done = harness("run", path, "--candidate", "openai/x", env=environment(tmp_path))
    assert done.code == 2
    assert done.err.splitlines() == [
        f"{path}:4: there is no file 'data/500QA.json'; Recipe-MPR is published at "
        "https://github.com/D3Mlab/Recipe-MPR (data/500QA.json): put it there, or say where it is by "
        "--set task.recipe_mpr=PATH"
    ]


def test_a_run_is_what_was_set_and_resumes_so_from_anywhere(tmp_path):
    suite = made(tmp_path / "suite", candidate="recorded/said.jsonl")
    rows = [{"id": f"d{place:02d}", "label": "cold", "prediction": "cold"} for place in range(4)]
    here = tmp_path / "here"
    here.mkdir()
    items = [{"id": row["id"], "text": row["id"], "label": "hot" if row["id"] == "d03" else "cold"} for row in rows]
    rows[3]["label"] = "hot"
    write_lines(here / "own.jsonl", [{**item, "slices": ["a"]} for item in items])
    write_lines(here / "said.jsonl", rows)
    arguments = ["--set", "task.files=own.jsonl", "--set", "candidate=recorded/said.jsonl", "--json"]
    done = harness("run", suite, "--out", tmp_path / "run", *arguments, env=environment(tmp_path), cwd=here)
    assert (done.code, done.json["n"], done.json["accuracy"]) == (0, 4, 0.75)
    again = harness("resume", tmp_path / "run", "--json", env=environment(tmp_path), cwd=tmp_path)
    assert (again.code, again.json) == (0, done.json)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "seed=3"], "--set 'seed=3': it changes classify and matrix suites, and this suite is pairwise"),
        (["--variant", "quick"], "--variant 'quick': only matrix suites have variants, and this suite is pairwise"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_a_suite_does_not_have_is_refused(tmp_path, arguments, said, dry):
    done = harness("run", "in_domain", *arguments, *dry, env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_classify_suite_has_no_variants(tmp_path):
    done = harness("run", made(tmp_path / "suite"), "--variant", "quick", env=environment(tmp_path))
    assert done.code == 2
    assert "only matrix suites have variants, and this suite is classify" in done.err
