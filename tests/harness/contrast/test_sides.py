"""What a side holds, and every reason for which two sides are refused."""

import json

import pytest

from harness.contrast.sides import load_side, matched
from harness.errors import InputError
from tests.harness.contrast import made
from tests.published import lines, write_lines


def refused(a, b, **options):
    with pytest.raises(InputError) as error:
        matched(load_side(a), load_side(b), **options)
    return str(error.value)


def test_a_run_is_a_score_a_prompt_and_the_facts_of_its_manifest(runs):
    side = load_side(runs[0])
    assert (side.kind, side.total, side.missing, side.scale) == ("pairwise", 40, 0, (0.0, 1.0))
    assert (
        sum(side.scores.values()) / 40
        == json.loads((runs[0] / "summary.json").read_text())["judges"]["openai/judge"]["win_rate"]
    )
    assert {name: len(ids) for name, ids in side.slices.items()} == {"even": 20, "odd": 20}
    assert side.facts.suite == "dishes"
    assert side.facts.counting == ("openai/judge",)
    assert len(side.facts.templates["openai/judge"]) == 64
    assert side.facts.texts["p000"] == ("How is dish 0 made?",)
    assert (side.facts.systems["p000"], side.facts.reads) == ("", {"references"})
    assert (side.facts.equivalence, side.facts.complete) == (0.05, True)


def test_a_panel_s_outcomes_are_its_scores(tmp_path):
    one = made.judgments(tmp_path / "1", ["candidate", "candidate", "tie", None], judge="one")
    two = made.judgments(tmp_path / "2", ["candidate", "baseline", "tie", None], judge="two")
    bias = made.judgments(tmp_path / "3", ["baseline"] * 4, judge="control/longest")
    side = load_side(made.joined(tmp_path / "all.jsonl", one, two, bias))
    assert side.scores == {"p000": 1.0, "p001": 0.5, "p002": 0.5}
    assert (side.total, side.missing) == (4, 1)
    assert side.facts.counting == ("one", "two")
    assert side.by_judge["control/longest"]["p003"] == 0


def test_a_score_is_a_mean_of_judges_of_turns_of_repeats_and_needs_all_of_them(tmp_path):
    parts = [
        made.scores(tmp_path / "1", [8, 6, 4, 2], judge="one"),
        made.scores(tmp_path / "2", [6, None, 4, 2], judge="one", turn=2),
        made.scores(tmp_path / "3", [4, 4, 4], judge="one", repeat=1),
        made.scores(tmp_path / "4", [1, 1, None, 1], judge="two"),
        made.scores(tmp_path / "5", [3, 1, 1, 1], judge="two", turn=2),
        made.scores(tmp_path / "6", [None] * 4, judge="silent"),
    ]
    side = load_side(made.joined(tmp_path / "scores.jsonl", *parts))
    # p000: one is ((8 + 4)/2 + 6)/2 = 6, two is 2. p001 lacks a turn of one, p002 a turn of two.
    assert side.scores == {"p000": 4.0, "p003": 1.5}
    assert (side.total, side.missing, side.scale) == (4, 2, None)
    assert side.facts.counting == ("one", "two")
    assert "silent gave no score" in side.notes[0]


def test_no_prediction_is_wrong_and_said(tmp_path):
    records = [
        {"id": 1, "label": "x", "prediction": None, "slices": ["s", "s", "t"]},
        {"id": 2, "label": "x", "prediction": "x", "cluster": "c"},
    ]
    side = load_side(write_lines(tmp_path / "p.jsonl", records))
    assert side.scores == {"1": 0.0, "2": 1.0}
    assert side.slices == {"s": ("1",), "t": ("1",)}
    assert side.clusters == {"2": "c"}
    assert "1 of 2 prompts have no prediction" in side.notes[0]


def test_what_is_no_side_is_refused_with_its_place(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "folder").mkdir()
    prompts = write_lines(tmp_path / "prompts.jsonl", [{"id": "1", "prompt": "Hi"}])
    broken = write_lines(
        tmp_path / "b.jsonl", [{"id": "1", "label": "x", "prediction": "x"}, {"id": "2", "label": "x"}]
    )
    twice = write_lines(tmp_path / "t.jsonl", [{"id": "1", "label": "x", "prediction": "x"}] * 2)
    for path, said in (
        (tmp_path / "none.jsonl", "there is no such file"),
        (tmp_path / "empty.jsonl", "is empty"),
        (tmp_path / "folder", "holds no run"),
        (prompts, "holds prompts"),
        (broken, "b.jsonl:2:"),
        (twice, "stands already on line 1"),
        (made.scores(tmp_path / "s.jsonl", [1e300, 2.0]), "is no rating"),
    ):
        with pytest.raises(InputError, match=said):
            load_side(path)


def test_a_run_of_another_kind_is_named(runs, tmp_path):
    other = made.changed(runs[0], tmp_path / "x", lambda m: m["suite"].update(kind="matrix"))
    with pytest.raises(InputError, match="run of kind 'matrix'"):
        load_side(other)


def test_the_same_prompts_are_paired_in_a_fixed_order(runs):
    pair = matched(load_side(runs[0]), load_side(runs[1]))
    assert pair.paired
    assert pair.ids == tuple(sorted(pair.ids))
    assert (pair.b - pair.a).tolist() == pair.difference.tolist()
    assert pair.difference.sum() == 0.4 * 40
    assert {name: len(places) for name, places in pair.slices.items()} == {"even": 20, "odd": 20}
    assert pair.clusters is None
    assert pair.mixed == ()


def test_the_order_of_lines_does_not_matter(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", [True, False, True])
    b = made.predictions(tmp_path / "b.jsonl", [True, True, False])
    turned = write_lines(tmp_path / "c.jsonl", lines(b)[::-1])
    assert matched(load_side(a), load_side(b)).b.tolist() == matched(load_side(a), load_side(turned)).b.tolist()


def test_what_lacks_a_verdict_is_missing_not_a_reason(tmp_path):
    a = made.judgments(tmp_path / "a.jsonl", ["candidate", "tie", None, "baseline"])
    b = made.judgments(tmp_path / "b.jsonl", [None, "candidate", "candidate", "baseline"])
    pair = matched(load_side(a), load_side(b))
    assert pair.ids == ("p001", "p003")
    assert (pair.missing_a, pair.missing_b, pair.unmatched) == (1, 1, 2)
    assert "nothing there says which baseline" in " ".join(pair.notes)


def test_different_kinds_never_compare(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", [True, False])
    b = made.scores(tmp_path / "b.jsonl", [1, 2])
    said = refused(a, b, allow_mixed=True, unpaired=True)
    assert "holds scores, while" in said
    assert "holds predictions" in said


def test_different_prompts_need_unpaired_by_name(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", [True, False, True])
    b = made.predictions(tmp_path / "b.jsonl", [True, False], prefix="q")
    said = refused(a, b, allow_mixed=True)
    assert "3 of 3 prompts of" in said
    assert "'q0000' and 'q0001'" in said
    assert "--unpaired" in said
    pair = matched(load_side(a), load_side(b), unpaired=True)
    assert (pair.paired, pair.a.size, pair.b.size, pair.difference) == (False, 3, 2, None)


def test_some_prompts_more_are_refused_too(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", [True, False, True])
    b = made.predictions(tmp_path / "b.jsonl", [True, False])
    assert "1 of 3 prompts" in refused(a, b)


def test_another_gold_label_is_another_prompt(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", [True, False])
    rows = [row | {"label": "no"} if row["id"] == "p0001" else row for row in lines(a)]
    b = write_lines(tmp_path / "b.jsonl", rows)
    assert "1 prompt ('p0001') has another gold label" in refused(a, b)
    assert not matched(load_side(a), load_side(b), unpaired=True).paired


def rename(manifest):
    manifest["suite"]["name"] = "soups"


def other_text(manifest):
    manifest["suite"]["prompts"][3]["turns"] = ["Something else?"]


def other_template(manifest):
    manifest["fingerprints"]["template of openai/judge"] = "0" * 64


def other_judge(manifest):
    manifest["judge_names"] = ["openai/judge", "openai/second"]


def other_baseline(manifest):
    manifest["baseline"] |= {"kind": "hf", "text": "hf/other"}
    manifest["fingerprints"]["baseline"] = "0" * 64


def retrained(manifest):
    manifest["baseline"]["kind"] = "hf"
    manifest["fingerprints"]["baseline"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename, "the suites differ: 'soups' here, 'dishes' in"),
        (other_template, "another version of openai/judge's template"),
        (other_judge, "the judges differ: openai/judge and openai/second here"),
        (other_baseline, "the baselines differ: hf/other here"),
        (retrained, "a baseline that changed under the same name"),
    ],
)
def test_what_mixes_is_refused_or_said(runs, tmp_path, change, said):
    other = made.changed(runs[1], tmp_path / "x", change)
    message = refused(runs[0], other, unpaired=True)
    assert said in message
    assert "--allow-mixed" in message
    pair = matched(load_side(runs[0]), load_side(other), allow_mixed=True)
    assert said in pair.mixed[0]
    assert any(note.startswith("MIXED") and said in note for note in pair.notes)


def test_another_text_under_one_id_is_another_prompt(runs, tmp_path):
    other = made.changed(runs[1], tmp_path / "x", other_text)
    assert "1 prompt ('p003') has another text" in refused(runs[0], other, allow_mixed=True)


def test_every_reason_is_named_at_once(runs, tmp_path):
    def all_of_them(manifest):
        for change in (rename, other_text, other_template, other_judge, retrained):
            change(manifest)

    message = refused(runs[0], made.changed(runs[1], tmp_path / "x", all_of_them))
    assert len(message.splitlines()) == 5


def test_a_recorded_baseline_is_what_it_answered_not_the_file_it_came_in(runs, tmp_path):
    def same_answers(manifest):
        manifest["fingerprints"]["baseline"] = "0" * 64

    other = made.changed(runs[1], tmp_path / "x", same_answers)
    assert matched(load_side(runs[0]), load_side(other)).mixed == ()


def fail_controls(run):
    rows = lines(run / "controls.jsonl")
    write_lines(run / "controls.jsonl", [row | {"right": False} for row in rows])
    return run


def test_a_judge_that_fails_its_control_pairs_is_no_judge(runs, tmp_path):
    failed = fail_controls(made.changed(runs[1], tmp_path / "x", lambda m: None))
    message = refused(runs[0], failed)
    assert "no judge of it counts" in message
    assert "openai/judge failed the control pairs" in message
    assert "no judge of it counts" in refused(runs[0], failed, allow_mixed=True, unpaired=True)


def test_an_incomplete_run_is_compared_and_said_loudly(runs, tmp_path):
    part = made.changed(runs[1], tmp_path / "x", lambda m: None)
    write_lines(part / "judgments.jsonl", lines(part / "judgments.jsonl")[:60])
    pair = matched(load_side(runs[0]), load_side(part))
    assert any(note.startswith("INCOMPLETE") for note in pair.notes)
    assert pair.missing_b == 40 - len(pair.ids) > 0


def test_what_leaked_is_said(runs, tmp_path):
    finding = {"exact": ["p001"], "near": ["p002"], "prompts": 40, "examples": 9, "checked": {}, "seen": {}}
    leaked = made.changed(runs[1], tmp_path / "x", lambda m: m.update(leakage=finding | {"unknown": []}))
    notes = " ".join(matched(load_side(runs[0]), load_side(leaked)).notes)
    assert "2 prompts of it stood in training data (p001 and p002)" in notes


def test_a_run_against_itself_is_chance(runs):
    pair = matched(load_side(runs[0]), load_side(runs[0]))
    assert "both sides are the same candidate" in " ".join(pair.notes)


def test_clusters_name_every_prompt(tmp_path):
    rows = [{"id": f"{i}", "label": "x", "prediction": "x", "cluster": "c" if i < 2 else None} for i in range(3)]
    path = write_lines(tmp_path / "p.jsonl", rows)
    assert matched(load_side(path), load_side(path)).clusters == ("c c", "c c", "p 2")
    assert matched(load_side(path), load_side(path), unpaired=True).clusters is None
