"""What a recipe trains on: nothing that is held out, nothing that it is validated on, as much as was planned."""

import hashlib
import random
from collections import Counter
from itertools import pairwise

import pytest

from harness.errors import InputError
from tests.published import write_lines
from tests.train.small import answers, manifest, recipe, rows_of, said, train
from train import data
from train.data import counted, require_as_planned
from train.recipe import load

LONG = "please tell me how to cook a large pot of lentil soup with leeks, celery and thyme for nine guests tonight"


def loaded(path, *changes):
    return data.load(load(path, changes))


def asked(rows):
    return [row.prompt[0].content for row in rows]


def parts(tmp_path, **counts):
    """Files of so many examples, and the parts of a mix that names them."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    rng = random.Random(3)
    for name, count in counts.items():
        rows = [{"prompt": f"{name} {n} {said(rng)}", "response": said(rng)} for n in range(count)]
        write_lines(tmp_path / f"{name}.jsonl", rows)
    return [{"name": name, "files": [f"{name}.jsonl"]} for name in counts]


def with_ratios(mix, *ratios, **more):
    return [{**part, "ratio": ratio, **more} for part, ratio in zip(mix, ratios, strict=True)]


def of_mix(tmp_path, base, mix, **more):
    return recipe(tmp_path, base, data={"files": None, "mix": mix, **more.pop("data", {})}, **more)


def test_a_quarter_is_a_quarter(tmp_path, base):
    folder = train(recipe(tmp_path, base, answers(80), data={"sample_ratio": 0.25}))
    told = manifest(folder)["data"]
    assert (told["planned"], told["actual"]) == (20, 20)
    assert told["sources"] == {"data": {"planned": 20, "actual": 20}}
    assert manifest(folder)["steps_done"] == 5


def test_what_is_seen_is_told_by_source_and_file(tmp_path, base):
    mix = with_ratios(parts(tmp_path, soups=12, chores=30), 0.25, 0.75)
    folder = train(of_mix(tmp_path, base, mix, data={"sample_ratio": 0.8}))
    told = manifest(folder)["data"]
    assert told["sources"] == {"soups": {"planned": 9, "actual": 9}, "chores": {"planned": 25, "actual": 25}}
    files = {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("soups.jsonl", "chores.jsonl")
    }
    assert {file["name"]: file["sha256"] for file in told["files"]} == files
    assert [file["examples"] for file in told["files"]] == [12, 30]
    index = folder / "training_index.npz"
    assert hashlib.sha256(index.read_bytes()).hexdigest() == told["index_sha256"]


def test_a_mix_that_cannot_be_had_stops_before_the_first_step(tmp_path, base, stem):
    mix = with_ratios(parts(tmp_path, soups=5, chores=50), 0.5, 0.5)
    place = tmp_path / "made"
    done = stem.run("train", of_mix(tmp_path, base, mix), checkpoints=place)
    assert done.code == 2
    assert "soups: 28 examples are planned and 5 would be trained on, a difference of more than 1 %; lower" in done.err
    assert not list(place.rglob("manifest.json"))
    assert not list(place.rglob("checkpoint-*"))
    dry = stem.run("train", tmp_path / "r.yaml", "--dry-run", checkpoints=place)
    assert (dry.code, "soups: 28 examples are planned" in dry.err) == (2, True)
    done = stem.run("train", of_mix(tmp_path, base, with_ratios(mix, 0.5, 0.5, repeat=True)), checkpoints=place)
    assert done.code == 0, done.err
    assert manifest(next(place.glob("small-*/manifest.json")).parent)["data"]["sources"]["soups"]["actual"] == 28


def test_examples_that_lose_their_answer_stop_the_training_where_they_are_many(tmp_path, base):
    rows = [*answers(18), {"prompt": "why " * 90, "response": "yes"}]
    with pytest.raises(InputError, match=r"data: 19 examples are planned and 18 would be trained on.*max_length"):
        train(recipe(tmp_path, base, rows))
    (left,) = (tmp_path / "made").glob("small-*")
    assert not list(left.rglob("manifest.json"))


def test_lost_answers_and_cuts_are_counted(tmp_path, base):
    short = [{"prompt": f"{n}?", "response": "hot"} for n in range(120)]
    rows = [*short, {"prompt": "why " * 30, "response": "yes"}, {"prompt": "hi", "response": "yes " * 30}]
    folder = train(recipe(tmp_path, base, rows, training={"batch_size": 64, "max_length": 32}))
    told = manifest(folder)["data"]
    assert (told["planned"], told["actual"], told["truncated"], told["dropped"]) == (122, 121, 2, 1)


@pytest.mark.parametrize(
    ("wanted", "got", "fine"), [(100, 99, True), (100, 101, True), (100, 98, False), (0, 1, False)]
)
def test_one_in_a_hundred_may_be_missing(wanted, got, fine):
    if fine:
        require_as_planned({"a": wanted}, {"a": got}, "r.yaml")
    else:
        with pytest.raises(InputError, match=f"a: {wanted} examples are planned and {got} would be trained on"):
            require_as_planned({"a": wanted}, {"a": got}, "r.yaml")


def test_a_source_may_not_hide_behind_the_others():
    with pytest.raises(InputError) as caught:
        require_as_planned({"a": 1000, "b": 10}, {"a": 1000, "b": 5}, "r.yaml")
    assert [str(problem).split(" ")[1] for problem in caught.value.problems] == ["b:"]


def test_held_out_prompts_are_left_out_exact_and_near(tmp_path, base):
    near = LONG.replace("large", "small")
    rows = [
        {"prompt": LONG, "response": "a"},
        {"prompt": f"  {LONG.upper()}! ", "response": "b"},
        {"prompt": near, "response": "c"},
        {
            "messages": [
                {"role": r, "content": c}
                for r, c in [("user", "Hi"), ("assistant", "Yes?"), ("user", LONG), ("assistant", "d")]
            ]
        },
        *answers(6),
    ]
    path = recipe(tmp_path, base, rows, data={"held_out": ["prompts.jsonl"]})
    write_lines(
        tmp_path / "prompts.jsonl", [{"id": "1", "turns": ["never asked", LONG]}, {"id": "2", "prompt": "0: a"}]
    )
    found = loaded(path)
    assert found.held_out == 4
    assert len(found.rows) == 6
    assert LONG not in asked(found.rows)
    assert manifest(train(path))["data"]["held_out"] == 4


def test_a_broken_line_of_held_out_prompts_is_named(tmp_path, base):
    path = recipe(tmp_path, base, answers(6), data={"held_out": ["prompts.jsonl"]})
    (tmp_path / "prompts.jsonl").write_text('{"id": "1", "prompt": "a"}\n{oops\n')
    with pytest.raises(InputError, match=r"prompts\.jsonl:2: is not JSON"):
        loaded(path)


def test_where_everything_is_held_out_there_is_nothing_to_train_on(tmp_path, base):
    path = recipe(tmp_path, base, [{"prompt": LONG, "response": "a"}], data={"held_out": ["prompts.jsonl"]})
    write_lines(tmp_path / "prompts.jsonl", [{"id": "1", "prompt": LONG}])
    with pytest.raises(InputError, match="leaves no example to train on; add some that are not held out"):
        loaded(path)


def test_no_prompt_is_both_trained_on_and_validated_on(tmp_path, base):
    rows = [{"prompt": f"what is {n % 10}", "response": f"answer {n}"} for n in range(40)]
    found = loaded(recipe(tmp_path, base, rows, data={"validation": {"share": 0.1}}))
    assert set(asked(found.rows)).isdisjoint(asked(found.validation))
    assert len(found.rows) + len(found.validation) == 40
    assert len(found.validation) >= 4
    assert found.planned == {"data": len(found.rows)}


def test_validation_leaves_out_what_is_trained_on(tmp_path, base):
    path = recipe(tmp_path, base, answers(10), data={"validation": {"files": ["more.jsonl"]}})
    write_lines(tmp_path / "more.jsonl", [*answers(3), {"prompt": "new", "response": "one"}])
    assert asked(loaded(path).validation) == ["new"]
    assert loaded(path).left_out == 3
    assert [file.name for file in loaded(path).files] == ["data.jsonl", "more.jsonl"]
    write_lines(tmp_path / "more.jsonl", answers(3))
    with pytest.raises(InputError, match="the prompts of all its examples are trained on too; give others"):
        loaded(path)


def test_another_answer_to_a_prompt_that_is_trained_on_is_no_validation(tmp_path, base):
    path = recipe(tmp_path, base, answers(10), data={"validation": {"files": ["more.jsonl"]}})
    other = [{**row, "response": f"{row['response']} indeed"} for row in answers(3)]
    write_lines(tmp_path / "more.jsonl", [*other, {"prompt": "new", "response": "one"}])
    assert asked(loaded(path).validation) == ["new"]


def test_a_share_for_validation_is_kept_apart_over_all_sources_of_a_mix(tmp_path, base):
    write_lines(tmp_path / "a.jsonl", answers(20))
    write_lines(tmp_path / "b.jsonl", answers(20))
    mix = [{"name": "a", "files": ["a.jsonl"]}, {"name": "b", "files": ["b.jsonl"]}]
    found = loaded(recipe(tmp_path, base, data={"files": None, "mix": mix, "validation": {"share": 0.2}}))
    assert not set(asked(found.validation)) & set(asked(found.rows))


def test_a_share_for_validation_takes_whole_prompts_and_no_more_than_its_share(tmp_path, base):
    rows = [{"prompt": f"prompt {n % 20}", "response": f"answer {n}"} for n in range(200)]
    found = loaded(recipe(tmp_path, base, rows, data={"validation": {"share": 0.05}}))
    assert len(found.validation) == 10
    assert len(found.rows) == 190
    with pytest.raises(InputError, match="every prompt stands in at least 10; raise the share"):
        loaded(recipe(tmp_path, base, rows, data={"validation": {"share": 0.02}}))


def test_a_stratified_sample_keeps_the_shares_of_a_field(tmp_path, base):
    rows = [{**row, "kind": "rare" if n % 10 == 0 else "common"} for n, row in enumerate(answers(100))]
    found = loaded(recipe(tmp_path, base, rows, data={"sample_ratio": 0.3, "stratify": "kind"}))
    assert Counter(row.stratum for row in found.rows) == {"rare": 3, "common": 27}


def curriculum(tmp_path, base, **more):
    stages = [{"from": 0, "ratios": {"soups": 1}}, {"from": 0.5, "ratios": {"soups": 0.25, "chores": 0.75}}]
    return of_mix(tmp_path, base, parts(tmp_path, soups=10, chores=6), data={"curriculum": stages}, **more)


def test_a_curriculum_is_laid_out_for_all_its_epochs(tmp_path, base):
    found = loaded(curriculum(tmp_path, base))
    assert found.ordered
    assert found.planned == {"soups": 10, "chores": 6}
    assert Counter(row.source for row in found.rows[:8]) == {"soups": 8}
    assert Counter(row.source for row in found.rows[8:]) == {"soups": 2, "chores": 6}
    twice = loaded(tmp_path / "r.yaml", "training.epochs=2")
    assert counted(twice.rows) == twice.planned == {"soups": 20, "chores": 12}


def test_a_curriculum_is_trained_on_in_its_order(tmp_path, base):
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.tokens import encode

    # So slow a rate that every loss is the base's own of the one example in the step.
    plan = {"batch_size": 1, "learning_rate": 1e-9}
    path = curriculum(tmp_path, base, training=plan, save={"every": 1, "keep": 1})
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base).eval()
    losses = []
    for row in encode(tokenizer, loaded(path).rows, 96).rows:
        with torch.no_grad():
            losses.append(float(model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels])).loss))
    found = rows_of(train(path))
    assert [row["loss"] for row in found] == pytest.approx(losses, abs=1e-5)
    assert len(losses) == 16
    assert min(abs(a - b) for a, b in pairwise(losses)) > 1e-5


def test_a_dataset_is_trained_on_like_a_file(tmp_path, base, own_cache):
    columns = {"prompt": "question", "response": "answer"}
    data = {"files": None, "dataset": "chats", "where": {"lang": "en"}, "columns": columns, "sample_ratio": 0.5}
    path = recipe(tmp_path, base, data=data)
    rows = [{"question": f"{n}?", "answer": f"{n}!", "lang": "en" if n % 2 else "fr"} for n in range(20)]
    (tmp_path / "chats").mkdir()
    write_lines(tmp_path / "chats" / "train.jsonl", rows)
    told = manifest(train(path))["data"]
    assert (told["planned"], told["actual"]) == (5, 5)
    assert [(file["name"], file["examples"]) for file in told["files"]] == [("chats", 10)]


def test_the_hash_of_the_data_knows_their_order_and_every_word(tmp_path, base):
    path = recipe(tmp_path, base, answers(4))
    first = loaded(path).sha256
    assert loaded(path).sha256 == first
    write_lines(tmp_path / "data.jsonl", answers(4)[::-1])
    assert loaded(path).sha256 != first


def test_the_index_finds_what_users_asked(tmp_path, base):
    from harness.leakage import normal
    from harness.leakage.nearest import nearest

    index = loaded(recipe(tmp_path, base, [{"prompt": LONG, "response": "never"}, *answers(3)])).index()
    found = nearest(index, [normal(LONG), normal("never")])
    assert [match is not None for match in found] == [True, False]
