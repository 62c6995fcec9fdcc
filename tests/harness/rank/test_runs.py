"""`harness rank RUN …`: what it says of runs of pairs, and which runs it refuses to hold together."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import InputError
from harness.rank import verb
from harness.stats.ranking import davidson
from tests.command import environment, harness
from tests.harness.rank.places import Place, by_name, edit_manifest, mixed, names
from tests.published import lines, write_lines


@pytest.fixture
def ranked(capsys: pytest.CaptureFixture[str]) -> Any:
    """Rank runs and hand back exit code and object."""

    def rank(*runs: Path, allow_mixed: bool = False) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = verb.rank_runs(runs, allow_mixed=allow_mixed, as_json=True)
        return code, json.loads(capsys.readouterr().out)

    return rank


def three(place: Place) -> list[Path]:
    """A beats b on 20 of 30 prompts, b beats c, a beats c more often; some ties."""
    return [
        place.run("a", "b", mixed(18, 8, 4)),
        place.run("b", "c", mixed(16, 10, 4)),
        place.run("a", "c", mixed(21, 6, 3)),
    ]


def test_strengths_are_the_models_and_counts_are_the_runs(tmp_path: Path, ranked: Any) -> None:
    code, found = ranked(*three(Place(tmp_path, 30)))
    assert code == 0 and found["kind"] == "ranking" and found["n_prompts"] == 30 and found["complete"] is True
    assert names(found) == ["a", "b", "c"] and [one["rank"] for one in found["contestants"]] == [1, 2, 3]
    expected = davidson(
        3, [(0, 1), (0, 2), (1, 2)], np.array([18.0, 21, 16]), np.array([8.0, 6, 10]), np.array([4.0, 3, 4])
    )
    assert [one["strength"] for one in found["contestants"]] == pytest.approx(expected.strengths)
    assert found["ties_parameter"] == pytest.approx(expected.ties)
    a = by_name(found)["a"]
    assert (a["wins"], a["losses"], a["ties"], a["missing"]) == (39, 14, 7, 0)
    assert a["win_rate"] == pytest.approx((39 + 3.5) / 60)
    assert sum(one["best_probability"] for one in found["contestants"]) == pytest.approx(1)
    for one in found["contestants"]:
        assert one["ci"][0] < one["strength"] < one["ci"][1] and one["rank_ci"][0] <= one["rank"] <= one["rank_ci"][1]
    assert found["pairs"][1] | {"a": "", "b": ""} == {
        "a": "", "b": "", "n": 30, "win_rate": 0.75, "wins": 21, "losses": 6, "ties": 3, "missing": 0,
        "told_apart": found["pairs"][1]["told_apart"],
    }  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_order_of_runs_and_who_was_the_candidate_decide_nothing(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 30)
    runs = three(place)
    turned = place.run("c", "a", mixed(21, 6, 3).translate(str.maketrans("WL", "LW")), name="turned")
    one, other = ranked(*runs)[1], ranked(turned, *runs[:2])[1]
    assert names(other) == names(one)
    for a, b in zip(one["contestants"], other["contestants"], strict=True):
        assert (a["wins"], a["losses"], a["ties"], a["rank"]) == (b["wins"], b["losses"], b["ties"], b["rank"])
        assert a["strength"] == pytest.approx(b["strength"], abs=1e-9)


def test_the_same_runs_give_the_same_figures(tmp_path: Path, ranked: Any) -> None:
    runs = three(Place(tmp_path, 30))
    assert ranked(*runs) == ranked(*runs)


def test_what_has_no_verdict_is_counted_and_counts_for_nobody(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 12)
    runs = [
        place.run("a", "b", "WWWWLLTT...."),
        place.run("b", "c", "WWWWWLLLTTTT"),
        place.run("a", "c", "WWWWWWWLLLLT"),
    ]
    _, found = ranked(*runs)
    assert by_name(found)["a"]["missing"] == 4 and by_name(found)["c"]["missing"] == 0
    assert found["pairs"][0]["n"] == 8
    assert any("no usable verdict in 4 of 36 comparisons" in note for note in found["notes"])
    assert any("small n: 12 prompts" in note for note in found["notes"])


def test_two_runs_of_one_pair_are_one_meeting(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 6)
    runs = [
        place.run("a", "b", "WWWLLT"),
        place.run("a", "b", "WWLLLW", name="again"),
        place.run("b", "c", "WWWLLT"),
    ]
    _, found = ranked(*runs)
    # By prompt: won, won, split (a tie), lost, lost, a win and a tie (won, with a score of 3/4).
    assert found["pairs"][0] | {"a": "", "b": "", "told_apart": None} == {
        "a": "", "b": "", "n": 6, "win_rate": 3.25 / 6, "wins": 3, "losses": 2, "ties": 1, "missing": 0,
        "told_apart": None,
    }  # fmt: skip


def test_the_win_rate_is_the_mean_prompt_score_and_mirrors_itself(tmp_path: Path, ranked: Any, capsys: Any) -> None:
    place = Place(tmp_path, 6)
    runs = [
        place.run("a", "b", "WWWLLT"),
        place.run("b", "a", "TTTTTT", name="again"),
        place.run("b", "c", "WWWLLT"),
    ]
    _, found = ranked(*runs)
    # Against b: three times 3/4, twice 1/4, once 1/2; b besides has 3.5 of 6 against c.
    a, b = by_name(found)["a"], by_name(found)["b"]
    assert a["win_rate"] == pytest.approx((3 * 0.75 + 2 * 0.25 + 0.5) / 6, abs=1e-12)
    assert b["win_rate"] == pytest.approx((6 - 3.25 + 3.5) / 12, abs=1e-12)
    assert (a["wins"], a["losses"], a["ties"]) == (3, 2, 1)
    verb.rank_runs(runs, allow_mixed=False, as_json=False)
    assert "win rate: the mean prompt score" in capsys.readouterr().out


def test_who_never_met_is_said_with_whether_others_join_them(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 6)
    chain = [place.run("a", "b", "WWWLLT"), place.run("b", "c", "WWWLLT")]
    apart = [chain[0], place.run("c", "d", "WWWLLT")]

    def never(*runs: Path) -> list[str]:
        return [note for note in ranked(*runs)[1]["notes"] if note.startswith("never compared")]

    (joined,) = never(*chain)
    assert joined.startswith("never compared with each other, only by way of others: ") and joined.count(" and ") == 1
    (alone,) = never(*apart)
    assert alone.startswith("never compared with each other, not even by way of others: ") and "1 more" in alone
    # A pair without a usable verdict joins nobody.
    (silent,) = never(*chain[:1], place.run("b", "c", "......", name="silent"))
    assert "not even by way of others" in silent


def test_a_judge_that_follows_the_position_is_named(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 30)
    pairs = (("a", "b"), ("b", "c"), ("a", "c"))
    fair = [place.run(x, y, mixed(15, 15)) for x, y in pairs]
    led = [place.run(x, y, mixed(15, 15), name=f"led-{x}{y}", by_position=True) for x, y in pairs]
    said = "gpt follows the position: in 3 of 3 runs one slot wins nearly always"
    assert any(said in note for note in ranked(*led)[1]["notes"])
    assert not any("follows the position" in note for note in ranked(*fair)[1]["notes"])
    assert not any("follows the position" in note for note in ranked(*fair[:2], led[2])[1]["notes"])


def test_contestants_are_told_apart_by_what_answered_not_by_spec(
    tmp_path: Path, ranked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, 12)
    for name in ("a", "b", "c", "d"):
        place.answers(name)
    monkeypatch.chdir(tmp_path)
    runs = []
    for one, other in (("a", "b"), ("c", "d")):
        shutil.copy(tmp_path / f"{other}.jsonl", tmp_path / "new.jsonl")
        runs.append(_pair(place, f"recorded/{one}.jsonl", "recorded/new.jsonl", mixed(6, 5, 1), f"{one}{other}"))
    runs.append(_pair(place, "recorded/a.jsonl", "recorded/c.jsonl", mixed(5, 6, 1), "ac"))
    _, found = ranked(*runs)
    shared = [one for one in found["contestants"] if one["spec"] == "recorded/new.jsonl"]
    assert len(found["contestants"]) == 4 and len({one["name"] for one in shared}) == 2
    assert any("recorded/new.jsonl stands for different contestants" in note for note in found["notes"])


def _pair(place: Place, a: str, b: str, outcomes: str, name: str) -> Path:
    from harness import verbs
    from harness.launch import Options

    rows = [
        {
            "id": f"p{i:03d}",
            "judge": "gpt",
            "winner": {"W": "candidate", "L": "baseline", "T": "tie"}[o],
            "status": "ok",
        }
        for i, o in enumerate(outcomes)
    ]
    write_lines(place.folder / f"v-{name}.jsonl", rows)
    options = Options(candidate=a, baseline=b, judges=(f"recorded/{place.folder}/v-{name}.jsonl",))
    out = place.folder / name
    verbs.run(str(place.suite), options, out=out, as_json=True, resolve=lambda spec, _: spec)
    return out


def test_one_file_may_hold_the_responses_of_both(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 6)
    rows = [{**row, "role": role} for role in ("candidate", "baseline") for row in _answers(place, role)]
    write_lines(tmp_path / "both.jsonl", rows)
    both = f"recorded/{tmp_path / 'both.jsonl'}"
    runs = [_pair(place, both, both, "WWWLLT", "both"), place.run("a", "b", "WWWLLT"), place.run("a", "c", "WWLLLT")]
    _, found = ranked(*runs)
    assert len(found["contestants"]) == 5 and "some never met" in found["reason"]
    assert [one["rank"] for one in found["contestants"]] == [None] * 5


def _answers(place: Place, role: str) -> list[dict[str, Any]]:
    return [{"id": f"p{i:03d}", "response": f"{role} {i}"} for i in range(place.n)]


def test_who_won_everything_is_ranked_and_it_is_said(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 8)
    runs = [place.run("a", "b", "W" * 8), place.run("a", "c", "W" * 8), place.run("b", "c", mixed(5, 3))]
    code, found = ranked(*runs)
    assert code == 0 and found["regularised"] is True and names(found) == ["a", "b", "c"]
    assert all(math.isfinite(one["strength"]) for one in found["contestants"])
    assert any("half a comparison more" in note for note in found["notes"])


def test_ties_alone_are_no_ranking(tmp_path: Path, ranked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path, 5)
    runs = [place.run("a", "b", "TTTTT"), place.run("b", "c", "TTTTT")]
    code, found = ranked(*runs)
    assert code == 0 and "every comparison is a tie" in found["reason"] and found["ties_parameter"] is None
    assert [one["strength"] for one in found["contestants"]] == [None] * 3
    capsys.readouterr()
    verb.rank_runs(runs, allow_mixed=False, as_json=False)
    assert "No ranking: every comparison is a tie" in capsys.readouterr().out


def test_prompts_of_a_cluster_are_resampled_together(tmp_path: Path, ranked: Any) -> None:
    def widths(folder: Path, clusters: int | None) -> list[float]:
        place = Place(folder, 40, clusters=clusters)
        # Prompts of a cluster have one outcome: ten clusters know as much as ten prompts.
        outcomes = ["".join("WWWLLWLWWT"[(i % 10 + turn) % 10] for i in range(40)) for turn in range(3)]
        pairs = (("a", "b"), ("b", "c"), ("a", "c"))
        _, found = ranked(*[place.run(x, y, o) for (x, y), o in zip(pairs, outcomes, strict=True)])
        assert any("40 prompts in 10 clusters" in note for note in found["notes"]) == (clusters is not None)
        return [one["ci"][1] - one["ci"][0] for one in found["contestants"]]

    assert np.mean(widths(tmp_path / "one", 10)) > 1.6 * np.mean(widths(tmp_path / "two", None))


def test_runs_of_different_things_are_refused_with_every_reason(tmp_path: Path, ranked: Any) -> None:
    place, other = Place(tmp_path / "one", 6), Place(tmp_path / "two", 6, suite="stews")
    rows = lines(other.folder / "prompts.jsonl")
    rows[0]["prompt"] = "What is in dish 0?"
    write_lines(other.folder / "prompts.jsonl", rows)
    runs = [place.run("a", "b", "WWWLLT"), other.run("b", "c", "WWWLLT", judge="claude")]
    with pytest.raises(InputError) as refused:
        ranked(*runs)
    said = [str(problem) for problem in refused.value.problems]
    for reason in ("the suites differ", "the judges differ", "has another text"):
        assert any(reason in line and "--allow-mixed" in line and str(runs[1]) in line for line in said), reason
    code, found = ranked(*runs, allow_mixed=True)
    assert code == 0
    assert sum(note.startswith("mixed (--allow-mixed)") for note in found["notes"]) == len(said)


def test_other_prompts_are_refused(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 8)
    runs = [place.run("a", "b", "WWWLLTWL"), place.run("b", "c", "WWWLLTWL", limit=5)]
    with pytest.raises(InputError, match="the prompts differ"):
        ranked(*runs)
    _, found = ranked(*runs, allow_mixed=True)
    assert found["pairs"][1]["n"] == 5 and found["n_prompts"] == 8


def test_what_is_no_ranking_is_refused(tmp_path: Path, ranked: Any) -> None:
    place = Place(tmp_path, 4)
    ab = place.run("a", "b", "WWLT")
    with pytest.raises(InputError, match="needs 3 contestants, and these runs have 2"):
        ranked(ab)
    with pytest.raises(InputError, match="given twice"):
        ranked(ab, ab)
    with pytest.raises(InputError) as both:
        ranked(tmp_path / "nowhere", tmp_path / "neither")
    assert len(both.value.problems) == 2
    itself = place.run("a", "b", "WWLT", name="itself")
    edit_manifest(itself, fingerprints={"candidate": "x", "baseline": "x"}, candidate=_hf(), baseline=_hf())
    with pytest.raises(InputError, match="a contestant with itself"):
        ranked(itself)


def _hf() -> dict[str, Any]:
    return {"text": "hf/x", "kind": "hf", "rest": "x", "endpoint": None, "folder": "/"}


def test_an_unfinished_run_makes_an_incomplete_ranking(tmp_path: Path, ranked: Any) -> None:
    runs = three(Place(tmp_path, 30))
    rows = lines(runs[2] / "judgments.jsonl")
    write_lines(runs[2] / "judgments.jsonl", rows[:20])
    code, found = ranked(*runs)
    assert code == 4 and found["complete"] is False and by_name(found)["a"]["missing"] == 10
    assert any(note.startswith("INCOMPLETE") and "a-c" in note for note in found["notes"])


def test_the_command_prints_eighty_columns_and_no_bare_figure(tmp_path: Path) -> None:
    runs = three(Place(tmp_path / ("a long folder of 微调 " * 3), 30))
    done = harness("rank", *runs, env=environment(tmp_path))
    assert done.code == 0, done.err
    from rich.cells import cell_len

    assert max(map(cell_len, done.out.splitlines())) <= 80
    text = " ".join(done.out.split())
    for words in ("30 prompts", "39–14–7", "leads", "neighbours", "by gpt", "two of equal strength would tie"):
        assert words in text
    assert "nan" not in done.out.lower()
    same = harness("rank", *runs, "--json", env=environment(tmp_path))
    assert same.json["kind"] == "ranking" and same.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to rank"),
        (["--out", "x", "--judge", "rubric"], "--judge and --out belong to a round robin"),
        (["run", "--suite", "in_domain"], "makes its own runs"),
        (["--suite", "in_domain"], "add --out DIR"),
        (["--suite", "in_domain", "--out", "x", "--allow-mixed"], "makes its own runs"),
        (["--suite", "in_domain", "--out", "x", "--contestant", "openai/a"], "needs 3 contestants, found 1"),
        (["--suite", "nowhere", "--out", "x"], "nowhere"),
    ],
)
def test_wrong_usage_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = harness("rank", *arguments, env=environment(tmp_path), cwd=tmp_path)
    assert done.code == 2 and said in done.err and done.out == ""
    assert not (tmp_path / "x").exists()
