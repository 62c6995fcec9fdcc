"""`harness compare` on the folders of score runs: grades on their scale, judges that share one, every refusal."""

import json
import shutil
from collections import defaultdict

import numpy as np
import pytest
from scipy import stats

from harness.contrast.asked import templates_of
from harness.contrast.graded import shared_scale
from harness.contrast.grades import grade, moved
from harness.contrast.sides import load_side, matched
from harness.errors import InputError
from harness.models.spec import parse
from tests.command import environment, harness
from tests.harness.contrast import made
from tests.published import lines, write_lines


def compare(*arguments, code=0):
    done = made.told(*arguments)
    assert done.code == code, (done.out, done.err)
    assert all(len(line) <= 80 for line in done.out.splitlines() if "--json" not in arguments)
    return done


def flat(text):
    return " ".join(text.split())


def by_hand(run, judges, file="scores.jsonl"):
    """The mean over judges of the mean over turns of every prompt, from the run's own lines."""
    held = defaultdict(lambda: defaultdict(list))
    for row in lines(run / file):
        if row["judge"] in judges:
            held[row["id"]][row["judge"]].append(row["score"])
    return {name: np.mean([np.mean(own[judge]) for judge in judges]) for name, own in sorted(held.items())}


MIX = ("openai/judge", "anthropic/claude-x")


def test_two_runs_are_scipy_s_paired_t_on_their_own_lines(graded, tmp_path):
    a, b = (np.array([*by_hand(run, MIX).values()]) for run in graded)
    found = compare(*graded, "--json").json
    assert list(found)[:7] == ["kind", "n", "difference", "ci", "p_value", "test", "slices"]
    assert (found["kind"], found["n"], found["test"], found["scale"]) == ("score", 12, "permutation", [1.0, 10.0])
    assert found["difference"] == pytest.approx((b - a).mean(), abs=1e-12)
    assert found["ci"] == pytest.approx(list(stats.ttest_rel(b, a).confidence_interval()), abs=1e-9)
    assert found["p_value"] == pytest.approx(stats.ttest_rel(b, a).pvalue, abs=0.02)
    assert (found["a"]["mean"], found["b"]["mean"]) == (pytest.approx(a.mean()), pytest.approx(b.mean()))
    assert found["a"]["ci"] == pytest.approx(list(stats.ttest_1samp(a, 0).confidence_interval()), abs=1e-9)
    assert found["counting"] == list(MIX)
    assert found["slices"]["odd"]["difference"] == pytest.approx((b - a)[1::2].mean())
    for judge in MIX:
        one, two = (np.array([*by_hand(run, [judge]).values()]) for run in graded)
        assert found["judges"][judge]["difference"] == pytest.approx((two - one).mean())
    assert found["b"]["candidate"] == "recorded/strong.jsonl"


def test_the_text_shows_grades_on_their_scale_and_no_percentages(graded, tmp_path):
    a, b = (np.array([*by_hand(run, MIX).values()]).mean() for run in graded)
    text = compare(*graded).out
    said = flat(text)
    assert f"B is better than A: B {b:.2f}, A {a:.2f} on 1–10, {b - a:.2f} more over 12 prompts (95 % +" in said
    assert "the figures above are the mean of 2 judges" in said
    assert [word for word in said.replace("95 %", "").replace("80 %", "").split() if "%" in word] == []
    assert "baseline:" not in text


def test_one_judge_can_be_named(graded, tmp_path):
    a, b = (np.array([*by_hand(run, MIX[:1]).values()]) for run in graded)
    found = compare(*graded, "--judge", "openai/judge", "--json").json
    assert found["difference"] == pytest.approx((b - a).mean(), abs=1e-12)
    assert (found["counting"], found["judges"]) == (["openai/judge"], {})
    done = compare(*graded, "--judge", "frob", code=2)
    assert "has no judge 'frob'; it has openai/judge and anthropic/claude-x" in done.err


def test_a_folder_and_a_scores_file_of_the_same_run_say_the_same(graded, tmp_path):
    known = compare(*graded, "--json").json
    found = compare(graded[0], graded[1] / "scores.jsonl", "--json").json
    assert (found["difference"], found["ci"], found["scale"]) == (known["difference"], known["ci"], [1.0, 10.0])
    assert any("is taken to be 1–10" in note for note in found["notes"])


def with_rubric(run, to, passed):
    """A copy of a run that the rubric graded too, on 0–1."""

    def second(manifest):
        manifest["judges"].append({**manifest["judges"][0], "text": "rubric", "kind": "rubric", "rest": ""})
        manifest["judge_names"].append("rubric")
        manifest["scales"]["rubric"] = [0.0, 1.0]

    copy = made.changed(run, to, second)
    for name in ("scores.jsonl", "scores_baseline.jsonl"):
        rows = lines(copy / name)
        ids = dict.fromkeys(row["id"] for row in rows)
        more = [
            {"id": one, "judge": "rubric", "turn": 2, "repeat": 0, "score": float(place < passed), "status": "ok"}
            for place, one in enumerate(ids)
        ]
        write_lines(copy / name, rows + more)
    return copy


@pytest.fixture
def rubrics(graded, tmp_path):
    return with_rubric(graded[0], tmp_path / "ra", 3), with_rubric(graded[1], tmp_path / "rb", 9)


def test_judges_of_different_scales_are_never_averaged(rubrics, tmp_path):
    done = compare(*rubrics, code=2)
    assert done.out == "" and len(done.err.splitlines()) == 2
    assert "(openai/judge and anthropic/claude-x on 1–10; rubric on 0–1)" in done.err
    assert "name one with --judge NAME, or several of one scale" in done.err
    assert "scales of their own" in compare(*(run / "scores.jsonl" for run in rubrics), code=2).err


def test_named_judges_of_one_scale_are_compared_on_it(rubrics, graded, tmp_path):
    found = compare(*rubrics, "--judge", "rubric", "--json").json
    assert (found["difference"], found["scale"], found["counting"]) == (pytest.approx(0.5), [0.0, 1.0], ["rubric"])
    assert "B 0.75, A 0.25 on 0–1, 0.50 more" in flat(compare(*rubrics, "--judge", "rubric").out)
    both = [option for judge in MIX for option in ("--judge", judge)]
    known = compare(*graded, "--json").json["difference"]
    assert compare(*rubrics, *both, "--json").json["difference"] == known


def test_other_judges_need_not_be_the_same_where_one_is_named(rubrics, graded, tmp_path):
    found = compare(graded[0], rubrics[1], "--judge", "openai/judge", "--json").json
    assert found["mixed"] == []


def test_a_judge_of_unknown_scale_shares_another_s_where_its_scores_lie_on_it(tmp_path):
    scales = {"openai/x": (1.0, 10.0), "me": None}
    assert shared_scale(tmp_path, scales, {"openai/x": {"p": 3.0}, "me": {"p": 10.0}}) == (1.0, 10.0)
    assert shared_scale(tmp_path, {"me": None}, {"me": {"p": 88.0}}) is None
    with pytest.raises(InputError, match="openai/x on 1–10; me on one that is not known"):
        shared_scale(tmp_path, scales, {"openai/x": {"p": 3.0}, "me": {"p": 88.0}})


def lost(run, to, ids, judge="openai/judge"):
    """A copy of a run in which a judge gave these prompts no grade."""
    copy = made.changed(run, to, lambda manifest: None)
    rows = lines(copy / "scores.jsonl")
    for row in rows:
        if row["id"] in ids and row["judge"] == judge and row["turn"] == 2:
            row |= {"score": None, "status": "invalid_parse"}
    write_lines(copy / "scores.jsonl", rows)
    return copy


def test_a_prompt_without_a_grade_of_one_turn_by_one_judge_is_missing_and_named(graded, tmp_path):
    cut = lost(graded[1], tmp_path / "x", {"p03", "p07"})
    found = compare(graded[0], cut, "--json").json
    assert (found["n"], found["missing"]) == (10, {"a": 0, "b": 2, "one_side_only": 2})
    said = "no usable score for 2 prompts of B: left out, on both sides where paired ('p03' and 'p07')"
    assert said in found["doubts"]
    a, b = (by_hand(run, MIX) for run in graded)
    kept = [name for name in a if name not in ("p03", "p07")]
    assert found["difference"] == pytest.approx(np.mean([b[name] - a[name] for name in kept]))
    assert any("edited" in note for note in found["notes"])


def test_a_judge_that_gave_nothing_does_not_count(graded, tmp_path):
    silent = lost(graded[1], tmp_path / "x", {f"p{place:02d}" for place in range(12)})
    with pytest.raises(InputError, match="openai/judge gave no score in"):
        matched(load_side(graded[0]), load_side(silent))
    pair = matched(load_side(graded[0]), load_side(silent), allow_mixed=True)
    assert pair.side_b.facts.counting == ("anthropic/claude-x",)
    nobody = made.changed(silent, tmp_path / "y", lambda manifest: None)
    write_lines(nobody / "scores.jsonl", [row | {"score": None} for row in lines(nobody / "scores.jsonl")])
    with pytest.raises(InputError, match="no judge of it counts"):
        matched(load_side(graded[0]), load_side(nobody), allow_mixed=True)


def other_template(manifest):
    manifest["fingerprints"]["template of openai/judge"] = "0" * 64


def other_mode(manifest):
    manifest["judges"][0]["asking"]["mode"] = "verdict-token"


def other_text(manifest):
    manifest["suite"]["prompts"][3]["turns"] = ["Something else?", "And then?"]


def other_reference(manifest):
    manifest["suite"]["prompts"][2]["reference"] = ["Boiled.", ""]


def other_scale(manifest):
    manifest["scales"]["openai/judge"] = manifest["scales"]["anthropic/claude-x"] = [0.0, 100.0]


def one_judge_less(manifest):
    manifest["judges"], manifest["judge_names"] = manifest["judges"][:1], manifest["judge_names"][:1]


def renamed(manifest):
    manifest["suite"]["name"] = "soups"


@pytest.mark.parametrize(
    ("change", "said", "lifted"),
    [
        (other_template, "another version of openai/judge's template", True),
        (other_mode, "openai/judge judged otherwise: verdict-token mode here, generation mode in", True),
        (other_text, "1 prompt ('p03') has another text", False),
        (other_reference, "other references under the same ids", True),
        (other_scale, "grades on 0–100 here and on 1–10 in", False),
        (renamed, "the suites differ: 'soups' here, 'dishes' in", True),
    ],
)
def test_what_measures_something_else_is_refused(graded, tmp_path, change, said, lifted):
    one, other = load_side(graded[0]), load_side(made.changed(graded[1], tmp_path / "x", change))
    with pytest.raises(InputError) as error:
        matched(one, other)
    assert said in str(error.value) and ("--allow-mixed" in str(error.value)) == lifted
    if lifted:
        assert said in matched(one, other, allow_mixed=True).mixed[0]
    else:
        with pytest.raises(InputError):
            matched(one, other, allow_mixed=True)


def test_another_panel_is_refused(graded, tmp_path):
    alone = made.changed(graded[1], tmp_path / "x", one_judge_less)
    for name in ("scores.jsonl", "scores_baseline.jsonl"):
        write_lines(alone / name, [row for row in lines(alone / name) if row["judge"] == "openai/judge"])
    with pytest.raises(InputError, match="the judges differ: openai/judge here, anthropic/claude-x and openai/judge"):
        matched(load_side(graded[0]), load_side(alone))
    assert matched(load_side(graded[0], MIX[:1]), load_side(alone, MIX[:1])).mixed == ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("judge_repeats", 3, "askings a judge differs: 1 in"),
        ("sampling", {"temperature": 0.5}, "sampling differs: temperature 0"),
        ("judge_sampling", {"temperature": 0.5}, "judge sampling differs: temperature 0"),
    ],
)
def test_settings_that_differ_are_said(graded, tmp_path, key, value, said):
    def other(manifest):
        own = manifest["suite"][key]
        manifest["suite"][key] = own | value if isinstance(value, dict) else value

    other_run = made.changed(graded[1], tmp_path / "x", other)
    pair = matched(load_side(graded[0]), load_side(other_run))
    assert pair.mixed == ()
    assert any(note.startswith(said) for note in pair.notes), pair.notes


def test_an_incomplete_run_is_said_loudly(graded, tmp_path):
    part = made.changed(graded[1], tmp_path / "x", lambda manifest: None)
    write_lines(part / "scores.jsonl", lines(part / "scores.jsonl")[:30])
    done = compare(graded[0], part)
    assert "INCOMPLETE" in done.out and "incomplete:" in done.err


def test_what_leaked_and_what_was_drawn_is_said(graded, tmp_path):
    def found(manifest):
        finding = {"exact": ["p01"], "near": ["p02"], "prompts": 12, "examples": 9, "checked": {}, "seen": {}}
        manifest["leakage"] = finding | {"unknown": []}
        manifest["prompts_in_suite"] = {"even": 40, "odd": 40}

    side = load_side(made.changed(graded[1], tmp_path / "x", found))
    assert side.facts.leaked == ("p01", "p02")
    assert "2 prompts of it stood in training data (p01 and p02)" in side.notes
    assert "only 12 of the suite's 80 prompts were asked (--limit)" in side.notes


def test_notes_on_the_baseline_are_not_told_of_candidates(graded, tmp_path):
    noted = made.changed(
        graded[1], tmp_path / "x", lambda m: m.update(notes=["baseline: old news", "the judge is kin to the candidate"])
    )
    side = load_side(noted)
    assert "baseline: old news" in side.notes_against
    assert not any("old news" in note for note in side.notes) and "the judge is kin to the candidate" in side.notes


def test_a_run_against_itself_is_chance(graded, tmp_path):
    found = compare(graded[0], graded[0], "--json").json
    assert (found["difference"], found["p_value"], found["better"]) == (0, 1, None)
    assert found["ci_method"] == "constant-bounded" and found["ci"][0] < 0 < found["ci"][1]
    assert "any difference is chance" in " ".join(found["notes"])


def test_a_score_off_the_scale_is_named(graded, tmp_path):
    off = shutil.copytree(graded[1], tmp_path / "x")
    rows = lines(off / "scores.jsonl")
    rows[5]["score"] = 11.0
    write_lines(off / "scores.jsonl", rows)
    assert "is 11, off the scale from 1 to 10" in compare(graded[0], off, code=2).err


def test_a_local_judge_s_weights_and_template_both_count():
    judge = parse("hf/judge", role="judge")
    known = {"template of hf/judge": "t" * 64, "hf/judge": "w" * 64}
    assert templates_of([judge], known) == {"hf/judge": "t" * 64 + "+" + "w" * 64}
    assert templates_of([judge], {}) == {}


def test_another_version_of_weights_is_named_by_them(graded, tmp_path):
    def with_weights(sha):
        return lambda m: m["fingerprints"].update({"openai/judge": sha * 64})

    one, two = (made.changed(run, tmp_path / sha, with_weights(sha)) for run, sha in zip(graded, "vw", strict=True))
    with pytest.raises(InputError, match="SHA-256 wwwwwwwwwwww here, vvvvvvvvvvvv in"):
        matched(load_side(one), load_side(two))


@pytest.mark.parametrize(
    ("value", "scale", "said"),
    [
        (7.3149, (1, 10), "7.31"),
        (0.0, (1, 10), "0.00"),
        (0.0032, (1, 10), "0.003"),
        (1e-12, (1, 10), "0.00"),
        (5.0, None, "5.00"),
        (0.00432, None, "0.00432"),
    ],
)
def test_a_grade_is_printed_with_two_decimals_and_never_as_a_false_zero(value, scale, said):
    assert grade(value, scale) == said
    assert moved(-value, scale) == (f"−{said}" if float(said) else said)


def test_the_command_says_what_the_function_says(graded, tmp_path):
    done = harness("compare", *graded, "--judge", "openai/judge", "--json", env=environment(tmp_path))
    assert done.code == 0, done.err
    assert done.out == compare(*graded, "--judge", "openai/judge", "--json").out
    json.loads(done.out, parse_constant=lambda name: pytest.fail(name))


def test_the_last_bit_of_a_difference_is_no_difference(tmp_path):
    a = made.scores(tmp_path / "a.jsonl", [0.2, 0.2, 0.5, 0.5], judge="rubric")
    b = made.scores(tmp_path / "b.jsonl", [0.3, 0.1, 0.6, 0.4], judge="rubric")
    said = " ".join(compare(a, b).out.split())
    assert "no difference (95 % −0.18 to +0.18" in said
    assert "Cohen's d +0.000" in said
