"""The quick reading of judgments gives what the records give: the same values, or the same problems."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agree.rows import read_rows, row_of
from harness.errors import InputError
from harness.records import JudgmentRecord, read
from tests.published import write_lines

odd = st.sampled_from([None, "", "p1", "p2", 3, 1.5, True, -1, [], {}, "ok", "A", "tie", "candidate", "baseline"])
text = st.sampled_from([None, "", "soups", 4])
lines = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["p1", "p2", "p3", "p4", 7, 1.5, "", None]),
        "judge": st.sampled_from(["a", "b", "", None, 1]),
    },
    optional={
        "order": st.sampled_from(["candidate_first", "baseline_first", None, "first", []]),
        "verdict": st.sampled_from(["A", "B", "tie", None, "C", 1]),
        "winner": st.sampled_from(["candidate", "baseline", "tie", None, "A", {}]),
        "status": st.sampled_from(["ok", "invalid_parse", "skipped", None, "fine"]),
        "repeat": st.sampled_from([0, 1, -1, True, "0", 1.0]),
        "preference": st.sampled_from([None, 0, 0.5, 0.7, 1, 2, True, "0.5"]),
        "category": text,
        "cluster": text,
        "reply": text,
        "scores": odd,
        "candidate_length": st.sampled_from([None, 0, 12, -1, True, 1.5]),
        "candidate": text,
        "baseline": text,
        "more": odd,
    },
)
plain = st.fixed_dictionaries(
    {"id": st.sampled_from(["p1", "p2", 7]), "judge": st.sampled_from(["a", "b"]), "winner": st.sampled_from(["tie"])},
    optional={"order": st.sampled_from(["candidate_first", None]), "preference": st.sampled_from([None, 1, 0.25])},
)


def outcome_of(reader):
    try:
        return reader()
    except InputError as error:
        return str(error)


@settings(max_examples=400, deadline=None)
@given(st.lists(lines | plain, min_size=1, max_size=4))
def test_a_file_is_read_as_its_records_are(tmp_path_factory, records):
    path = write_lines(tmp_path_factory.mktemp("rows") / "judgments.jsonl", records)
    mine = outcome_of(lambda: read_rows(path))
    theirs = outcome_of(lambda: [row_of(record) for record in read(path, JudgmentRecord)])
    assert mine == theirs


@pytest.mark.parametrize("key", ["id", "judge", "reply", "category", "cluster", "more"])
def test_a_lone_surrogate_is_what_the_records_make_of_it(tmp_path, key):
    record = {"id": "a", "judge": "j", "winner": "tie", key: "\ud800"}
    path = write_lines(tmp_path / "judgments.jsonl", [record])
    mine = outcome_of(lambda: read_rows(path))
    assert mine == outcome_of(lambda: [row_of(record) for record in read(path, JudgmentRecord)])


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "not json\n", '{"id": "a"}\n', '[1]\n{"id": "a", "judge": "b", "winner": "tie"}\n', '{"id": NaN}\n'],
)
def test_broken_files_are_refused_in_the_words_of_the_records(tmp_path, content):
    path = tmp_path / "judgments.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as mine:
        read_rows(path)
    with pytest.raises(InputError) as theirs:
        read(path, JudgmentRecord)
    assert str(mine.value) == str(theirs.value)


def test_an_id_is_the_decimal_text_of_its_number(tmp_path):
    path = tmp_path / "judgments.jsonl"
    path.write_text('{"id": 1.10, "judge": "a", "winner": "tie"}\n{"id": 7, "judge": "a", "winner": "tie"}\n')
    assert [row.id for row in read_rows(path)] == ["1.10", "7"]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"id": "a", "label": "x", "prediction": "y"}, "predictions"),
        ({"id": "a", "response": "text"}, "responses"),
        ({"id": "a", "judge": "j", "turn": 1, "score": 3, "status": "ok"}, "scores"),
        ({"id": "a", "prompt": "text"}, "prompts"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(tmp_path, record, kind):
    path = write_lines(tmp_path / "file.jsonl", [record] * 30)
    with pytest.raises(InputError) as error:
        read_rows(path)
    assert str(error.value) == f"{path}: holds {kind}; agree takes runs and files of judgments"


def test_what_a_verdict_means_is_settled_by_order(tmp_path):
    path = tmp_path / "judgments.jsonl"
    records = [
        {"id": "a", "judge": "j", "order": "candidate_first", "verdict": "A"},
        {"id": "a", "judge": "j", "order": "baseline_first", "verdict": "A"},
        {"id": "b", "judge": "j", "preference": 0.2},
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    assert [row.winner for row in read_rows(path)] == ["candidate", "baseline", "baseline"]
