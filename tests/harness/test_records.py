"""Files are read once and strictly: every problem at once, with its line and value."""

import json

import pytest

from harness.errors import InputError
from harness.records import JudgmentRecord, PromptRecord, ResponseRecord, gather, kind_of, read
from tests.published import write_lines


def problems(path, model):
    return [str(problem).removeprefix(f"{path}:") for problem in gather(path, model)[1]]


def judgment(**more):
    return {"id": "1", "judge": "j", "status": "ok", **more}


@pytest.mark.parametrize(
    ("given", "winner"),
    [
        ({"verdict": "A", "order": "candidate_first"}, "candidate"),
        ({"verdict": "A", "order": "baseline_first"}, "baseline"),
        ({"verdict": "B", "order": "baseline_first"}, "candidate"),
        ({"verdict": "tie", "order": "baseline_first"}, "tie"),
        ({"winner": "baseline"}, "baseline"),
        ({"verdict": "tie"}, "tie"),
        ({"preference": 0.7}, "candidate"),
        ({"preference": 0.5}, "tie"),
        ({"verdict": "A", "order": "candidate_first", "winner": "candidate"}, "candidate"),
    ],
)
def test_the_winner_is_derived_where_it_can_be(given, winner):
    assert JudgmentRecord.model_validate(judgment(**given)).winner == winner


def test_a_number_is_read_as_its_decimal_text(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [{"id": 7, "response": "x"}, {"id": "8", "response": "y"}])
    assert [record.id for record in read(path, ResponseRecord)] == ["7", "8"]


def test_unknown_keys_are_kept(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [judgment(winner="tie", mine={"a": 1})])
    assert json.loads(read(path, JudgmentRecord)[0].line())["mine"] == {"a": 1}


def test_every_problem_of_a_judgments_file_at_once(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(
        "\n".join(
            [
                json.dumps(judgment(winner="candidate", repeat=1)),
                '{"id": "1", "judge"',
                json.dumps(judgment(verdict="A", order="baseline_first", winner="candidate")),
                json.dumps(judgment(verdict="A")),
                json.dumps(judgment(winner="candidate", repeat=1)),
                json.dumps(judgment(winner="brie")),
                json.dumps(judgment(winner="tie", status="truncated")),
                json.dumps(judgment(winner="tie", repeat=2, preference=1.2)),
                json.dumps({"judge": "j", "winner": "tie", "status": "ok"}),
                json.dumps(judgment(status="ok")),
                "[1]",
                '{"id": "9", "judge": "j", "winner": "tie", "status": "ok", "preference": NaN}',
            ]
        )
    )
    found = problems(path, JudgmentRecord)
    expected = [
        "2: is not JSON",
        "3: verdict 'A' with order 'baseline_first' means winner 'baseline'; they contradict",
        "4: verdict 'A' without an order names nobody; add 'order' or 'winner'",
        "5: the key (1, j, 1) stands already on line 1",
        "6: winner: input should be 'candidate', 'baseline' or 'tie', found 'brie'",
        "7: status 'truncated' has no verdict, yet one is given",
        "8: preference: input should be less than or equal to 1, found 1.2",
        "9: the key 'id' is missing",
        "10: status 'ok' without a verdict",
        "11: is no JSON object; found '[1]'",
        "12: is not JSON: NaN is not JSON; use null",
    ]
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True)), found


def test_the_last_line_of_a_key_counts_in_a_journal(tmp_path):
    path = write_lines(
        tmp_path / "x.jsonl", [judgment(winner=None, status="provider_error"), judgment(winner="candidate")]
    )
    assert [record.winner for record in read(path, JudgmentRecord, last_wins=True)] == ["candidate"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"id": "a", "prompt": "  "}, "the prompt is empty"),
        ({"id": "a"}, "give either 'prompt' or 'turns'"),
        ({"id": "a", "prompt": "x", "turns": ["x"]}, "give either 'prompt' or 'turns'"),
        ({"id": "a", "turns": []}, "'turns' is empty"),
        ({"id": "a", "turns": ["x", 3]}, "turns.1: input should be a valid string, found 3"),
        ({"id": "", "prompt": "x"}, "id: an id must not be empty"),
        ({"id": "a", "prompt": "x", "repeats": 0}, "repeats: input should be greater than or equal to 1, found 0"),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_named(tmp_path, record, said):
    path = write_lines(tmp_path / "x.jsonl", [record])
    assert said in problems(path, PromptRecord)[0]


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"id": "1", "prompt": "x"}\n{"id": "2", "prompt": "\xff"}\n')
    with pytest.raises(InputError, match=r"x.jsonl:2: is not UTF-8: byte 0xff"):
        read(path, PromptRecord)


def test_an_empty_or_missing_file_is_said(tmp_path):
    (tmp_path / "x.jsonl").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        read(tmp_path / "x.jsonl", PromptRecord)
    with pytest.raises(InputError, match="there is no such file"):
        read(tmp_path / "y.jsonl", PromptRecord)


def test_what_a_foreign_line_is_meant_to_be():
    kinds = {
        "PromptRecord": {"id": "1", "prompt": "x"},
        "ResponseRecord": {"id": "1", "response": "x"},
        "JudgmentRecord": {"id": "1", "judge": "j", "winner": "tie"},
        "ScoreRecord": {"id": "1", "judge": "j", "turn": 1, "score": 3},
        "PredictionRecord": {"id": "1", "label": "a", "prediction": "b"},
        "PreferenceRecord": {"prompt": "x", "chosen": "y", "rejected": "z"},
    }
    assert {kind_of(value).__name__ for value in kinds.values()} == set(kinds)
    assert all(kind_of(value).__name__ == name for name, value in kinds.items())
