"""What a run learns from the indexes beside its checkpoints' weights, and what it says where there is none."""

import dataclasses
import hashlib
import json

import pytest

from harness.errors import InputError
from harness.leakage import FILE, TrainingExample, TrainingIndex, guard, read
from judges.types import Prompt
from tests.harness.leakage.made import manifest
from tests.published import write_lines

STEW = "Could you suggest a stew with lentils for a cold winter evening?"
NEARLY = "Could you suggest a soup with lentils for a cold winter evening?"
RICE = "How long does brown rice have to soak before it is cooked?"
CAKE = "My aunt visits on Sunday and eats no eggs: which cake can I bake?"
PROMPTS = [Prompt(id=name, turns=(text,)) for name, text in {"rice": RICE, "near": NEARLY, "stew": STEW}.items()]


def trained(folder, *texts):
    """A checkpoint's folder with an index of these prompts; without any, one of unknown training."""
    folder.mkdir()
    if texts:
        TrainingIndex.build(
            TrainingExample(file="t.jsonl", line=line, turns=(text,)) for line, text in enumerate(texts, 1)
        ).save(folder / FILE)
    return folder


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_exact_and_near_prompts_are_found_for_each_contestant(tmp_path):
    base, adapter = trained(tmp_path / "base", CAKE, RICE), trained(tmp_path / "adapter", STEW)
    found, notes = guard.compare({"candidate": (base, adapter), "baseline": (base, None)}, PROMPTS)
    assert notes == []
    assert found == guard.Finding(
        exact=("rice", "stew"),
        near=("near",),
        prompts=3,
        checked={"candidate": 3, "baseline": 2},
        seen={"candidate": ("rice", "near", "stew"), "baseline": ("rice",)},
        examples=3,
    )


def test_an_index_under_two_names_counts_once(tmp_path):
    base, again = trained(tmp_path / "base", STEW, CAKE), trained(tmp_path / "checkpoint-5", STEW, CAKE)
    found, _ = guard.compare({"candidate": (base, again), "baseline": (again, None)}, PROMPTS)
    assert (found.examples, found.checked) == (2, {"candidate": 2, "baseline": 2})


def test_a_prompt_near_in_one_index_and_exact_in_another_is_exact(tmp_path):
    base, adapter = trained(tmp_path / "base", STEW), trained(tmp_path / "adapter", NEARLY)
    found, _ = guard.compare({"candidate": (base, adapter)}, PROMPTS)
    assert (found.exact, found.near) == (("near", "stew"), ())


def test_checkpoints_of_unknown_training_are_named_in_one_sentence(tmp_path):
    base, adapter = trained(tmp_path / "base"), trained(tmp_path / "adapter", CAKE)
    found, notes = guard.compare({"candidate": (base, adapter), "baseline": (base, None)}, PROMPTS)
    assert (found.ids, found.checked) == ((), {"candidate": 1, "baseline": None})
    assert notes == [
        "the training data of the candidate's base and the baseline are unknown (no training_index.npz), so leakage "
        "from there cannot be ruled out; `harness leakage --train FILE` compares the files you have"
    ]
    nothing, notes = guard.compare({"candidate": (base, base), "baseline": (base, None)}, PROMPTS)
    assert nothing is None
    assert notes[0].startswith(
        "the training data of the candidate's base, the candidate's adapter and the baseline are unknown"
    )


def test_of_what_has_no_weights_here_nothing_is_said():
    assert guard.compare({}, PROMPTS) == (None, [])


def test_an_index_that_is_not_the_manifests_is_refused(tmp_path):
    folder = trained(tmp_path / "adapter", STEW)
    manifest(folder, sha256(folder / FILE))
    assert guard.compare({"candidate": (folder, None)}, PROMPTS)[0].exact == ("stew",)
    trained(tmp_path / "other", CAKE)
    (tmp_path / "other" / FILE).replace(folder / FILE)
    with pytest.raises(InputError, match=r"adapter/training_index\.npz: is not the index that training wrote"):
        guard.compare({"candidate": (folder, None)}, PROMPTS)
    (folder / FILE).unlink()
    with pytest.raises(InputError, match=r"adapter/training_index\.npz: is missing, though the checkpoint's manifest"):
        guard.compare({"candidate": (folder, None)}, PROMPTS)


def test_a_manifest_that_names_no_index_leaves_it_unchecked(tmp_path):
    folder = trained(tmp_path / "adapter", STEW)
    manifest(folder, None)
    assert guard.compare({"candidate": (folder, None)}, PROMPTS)[0].exact == ("stew",)


def test_prompts_of_preferences_are_found(tmp_path):
    rows = [{"prompt": STEW, "chosen": "Lentils.", "rejected": RICE}]
    rows.append({"prompt": [{"role": "user", "content": CAKE}], "chosen": [], "rejected": []})
    (tmp_path / "dpo").mkdir()
    read(write_lines(tmp_path / "preferences.jsonl", rows)).save(tmp_path / "dpo" / FILE)
    found, _ = guard.compare({"candidate": (tmp_path / "dpo", None)}, PROMPTS)
    assert (found.exact, found.near, found.checked["candidate"]) == (("stew",), ("near",), 2)


def test_a_finding_comes_back_from_a_manifest_as_it_was(tmp_path):
    found, _ = guard.compare({"candidate": (trained(tmp_path / "a", STEW), trained(tmp_path / "b"))}, PROMPTS)
    assert guard.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert guard.from_json(None) is None
    assert dataclasses.asdict(found)["unknown"] == ("the candidate's adapter",)


@pytest.mark.parametrize("broken", [[], {"exact": []}, {"exact": 3}, "yes", {"exact": [], "near": [], "seen": []}])
def test_a_broken_finding_is_one_sentence(broken):
    with pytest.raises(InputError, match=r"the run's manifest\.json holds no whole 'leakage'"):
        guard.from_json(broken)
