"""`harness agree` as its users meet it: text in eighty columns, one object, one page, one sentence where it cannot."""

import json
import random

import pytest
from rich.cells import cell_len

from harness.agree import verb
from tests.command import environment, harness
from tests.harness.agree.sample import in_order, judgments
from tests.published import write_lines

CONTRACT = {"judges", "pairs", "krippendorff_alpha", "fleiss_kappa", "disagreements"}


@pytest.fixture
def agree(tmp_path, capsys):
    def run(records, *, gold=None, as_json=False, as_html=False):
        path = write_lines(tmp_path / "judgments.jsonl", records)
        assert verb.agree([path], gold=gold, as_json=as_json, as_html=as_html) == 0
        return capsys.readouterr().out

    return run


def test_the_object_has_the_keys_of_the_contract(agree):
    found = json.loads(agree(judgments({"a": "wwlt", "b": "wltt", "human/x": "wlll"}), gold="human/x", as_json=True))
    assert CONTRACT | {"gold"} <= found.keys()
    assert all({"n", "win_rate"} <= judge.keys() for judge in found["judges"].values())
    assert all({"a", "b", "n", "agreement", "kappa", "kappa_ci", "ac1"} <= pair.keys() for pair in found["pairs"])
    for judge in found["gold"].values():
        assert {"accuracy", "accuracy_by_order", "ci", "kappa"} <= judge.keys()
        assert list(judge["accuracy_by_order"]) == ["candidate_first", "baseline_first"]
    assert "gold" not in json.loads(agree(judgments({"a": "w", "b": "l"}), as_json=True))


def test_the_command(tmp_path):
    path = write_lines(tmp_path / "judgments.jsonl", judgments({"a": "wwlt", "b": "wltt"}))
    env = environment(tmp_path)
    assert harness("agree", path, "--json", env=env).json["pairs"][0]["agreement"] == 0.5
    both = harness("agree", path, "--json", "--html", env=env)
    assert (both.code, both.out) == (2, "")
    assert both.err == "error: --json and --html both go to stdout; give one of them\n"
    lost = harness("agree", path, "--gold", "c", env=env)
    assert (lost.code, lost.err) == (2, "error: --gold 'c' is no judge here; name one of a and b\n")


def names(count):
    return [
        f"openai@LOCAL/some-organisation/a-model-with-a-very-long-name-{place:02d}-instruct" for place in range(count)
    ]


@pytest.mark.parametrize("count", [2, 5, 12, 20])
def test_every_line_fits_eighty_columns(agree, count):
    rng = random.Random(count)
    said = {name: "".join(rng.choice("wwwlt?") for _ in range(40)) for name in names(count)}
    out = agree(judgments(said, category=lambda place: "a category 書きもの"[: 5 + place % 9]), gold=names(1)[0])
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "—\n" not in out.split("what to know")[1]


def test_many_pairs_become_the_extremes(agree):
    rng = random.Random(1)
    out = agree(judgments({f"judge-{place}": "".join(rng.choice("wl") for _ in range(40)) for place in range(10)}))
    assert "the 5 pairs with the lowest kappa and the 5 with the highest; 35 more in" in out
    assert "judges 1 to 10" in out


def test_high_agreement_with_a_low_kappa_is_said_to_be_what_it_is(agree):
    out = agree(judgments({"a": "w" * 92 + "l" * 8, "b": "w" * 88 + "l" * 4 + "w" * 6 + "l" * 2}))
    assert "a and b: 90 % agreement, but" in " ".join(out.split())


def test_position_and_unread_replies_are_said(agree):
    truth = [{"id": f"p{place}", "judge": "gold", "winner": "candidate"} for place in range(12)]
    out = " ".join(agree(truth + in_order("j", ["wl"] * 10 + ["w?", "??"]), gold="gold").split())
    assert "it is the one shown first both times: j 10 of 10 (p = 0.002)" in out
    assert "replies without a usable verdict, wrong where orders are counted: j 3" in out


def test_no_disagreement_is_said(agree):
    assert "No prompt on which two judges disagree." in agree(judgments({"a": "wwll", "b": "wwll"}))


def test_names_cannot_steer_the_terminal(agree):
    assert "\x1b" not in agree(judgments({"a\x1b[31m": "wwll", "b": "wlll"}))
