"""A judge that is kin to a contestant is named: by family, by weights, by base, by the training data it wrote."""

import json

import pytest

from harness import checkpoint
from harness.kinship import Kin, families, flags, of_weights

JUDGE = Kin(names=("gpt-4o",))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai/gpt-4o-2024-08-06", {"GPT"}),
        ("o1-mini", {"GPT"}),
        ("claude-3-5-sonnet", {"Claude"}),
        ("Qwen/Qwen2.5-0.5B-Instruct", {"Qwen"}),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", {"DeepSeek", "Qwen"}),
        ("mistralai/Mixtral-8x7B", {"Mistral"}),
        ("microsoft/Phi-3-mini", {"Phi"}),
        ("delphi-3", set()),
        ("EleutherAI/gpt-neo-1.3B", set()),
        ("turbo1-large", set()),
        ("", set()),
    ],
)
def test_families_are_told_by_names(name, expected):
    assert families([name]) == expected


def test_a_judge_of_a_contestant_s_family_is_named():
    said = flags({"openai/gpt-4o": JUDGE}, {"candidate": Kin(names=("gpt-3.5-turbo",)), "baseline": Kin(names=("x",))})
    assert len(said) == 1
    assert "openai/gpt-4o is of the same family as the candidate (GPT)" in said[0]


def test_a_judge_that_is_a_contestant_is_named_as_such():
    same = Kin(names=("somebody/qwen",), fingerprint="abc")
    assert "is the baseline itself" in flags({"hf/x": same}, {"baseline": same})[0]


def test_two_children_of_one_base_are_kin_without_a_name():
    here, there = Kin(names=("a",), bases=frozenset({"f"})), Kin(names=("b",), bases=frozenset({"f", "g"}))
    assert "trained from the same base as the candidate" in flags({"reward/a": here}, {"candidate": there})[0]


def test_the_writer_of_training_data_is_named_and_its_family_too():
    trained = {"candidate": Kin(names=("brie",), writers=("anthropic/claude-sonnet-4",))}
    writer, cousin = Kin(names=("claude-sonnet-4",)), Kin(names=("claude-3-haiku",))
    assert "wrote training data of the candidate" in flags({"anthropic/claude-sonnet-4": writer}, trained)[0]
    assert "is of the family that wrote training data" in flags({"anthropic/claude-3-haiku": cousin}, trained)[0]


def test_strangers_are_not_flagged():
    assert (
        flags({"openai/gpt-4o": JUDGE}, {"candidate": Kin(names=("claude-3",)), "baseline": Kin(names=("brie",))}) == []
    )


def test_a_checkpoint_s_configuration_says_what_it_was_made_from(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": "Qwen/Qwen2.5-0.5B"}))
    assert families(of_weights("mine", "f", [tmp_path, None]).names) == {"Qwen"}


def test_a_checkpoint_s_manifest_knows_who_wrote_its_training_data(tmp_path):
    data = {"written_by": ["anthropic/claude-sonnet-4"], "mix": [{"name": "a", "written_by": ["openai/gpt-4o"]}]}
    made = checkpoint.Manifest(
        name="brie",
        kind="sft",
        base=checkpoint.Base(spec="hf/Qwen/Qwen2.5-0.5B", sha256="b" * 64),
        sha256="a" * 64,
        adapter_sha256=None,
        tokenizer_sha256=None,
        chat_template_sha256=None,
        steps_done=9,
        steps_planned=9,
        epochs=1.0,
        data=checkpoint.Data(sha256="x", planned=8, actual=8),
        seed=1,
        device="cpu",
        versions={},
        recipe={"data": data},
    )
    (tmp_path / checkpoint.MANIFEST).write_text(json.dumps(checkpoint.as_json(made)))
    found = of_weights("runs/brie", "f", [tmp_path])
    assert found.writers == ("anthropic/claude-sonnet-4", "openai/gpt-4o")
    assert families(found.names) == {"Qwen"}
    (said,) = flags({"anthropic/claude-sonnet-4": Kin(names=("claude-sonnet-4",))}, {"candidate": found})
    assert said == (
        "the judge anthropic/claude-sonnet-4 wrote training data of the candidate: it may prefer its own style"
    )


def test_a_judge_that_was_trained_from_a_contestant_says_so():
    judge, base = Kin(names=("a",), bases=frozenset({"f"})), Kin(names=("b",), fingerprint="f")
    (said,) = flags({"reward/a": judge}, {"baseline": base})
    assert said == "the judge reward/a was trained from the baseline: it may prefer what that writes"
