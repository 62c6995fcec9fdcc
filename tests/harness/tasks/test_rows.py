"""CSV, JSONL, JSON and Parquet: rows with the line that they begin on, and every problem of a file at once."""

import json

import pytest

from harness.errors import InputError
from harness.tasks.rows import read


def told(path):
    with pytest.raises(InputError) as error:
        read(path)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in error.value.problems]


def made(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_csv_row_has_the_line_it_begins_on(tmp_path):
    path = made(tmp_path, "a.csv", 'text,label\n"two\nlines",yes\n\nlast,no\n')
    assert read(path).rows == ((2, {"text": "two\nlines", "label": "yes"}), (5, {"text": "last", "label": "no"}))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    assert read(made(tmp_path, "a.csv", "\ufefftext,label\r\na,b\r\n")).columns == ("text", "label")


def test_the_items_of_a_json_list_have_their_lines(tmp_path):
    path = made(tmp_path, "a.json", '[\n  {"a": 1},\n  {\n    "a": 2\n  }\n]\n')
    assert read(path).rows == ((2, {"a": 1}), (3, {"a": 2}))


def test_the_same_rows_from_every_kind_of_file(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [{"text": "a", "label": "x"}, {"text": 'b, "quoted"', "label": "y"}]
    made(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    made(tmp_path, "a.json", json.dumps(rows))
    made(tmp_path, "a.csv", 'text,label\na,x\n"b, ""quoted""",y\n')
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for suffix in ("jsonl", "json", "csv", "parquet"):
        assert [row for _, row in read(tmp_path / f"a.{suffix}").rows] == rows


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", "", "a.csv: holds no rows"),
        ("a.csv", "text,label\n", "a.csv: holds no rows"),
        ("a.jsonl", "\n\n", "a.jsonl: holds no rows"),
        ("a.json", "", "a.json:1: is empty"),
        ("a.json", "[]", "a.json: holds no rows"),
        ("a.json", '{"a": 1}\n{"a": 2}\n', "a.json:1: holds no JSON list; write a list of objects, or save one"),
        ("a.json", '[\n{"a": 1},\n{"a": ', "a.json:3: is not JSON"),
        ("a.json", '[\n{"a": 1},\n', "a.json:3: is not JSON"),
        ("a.json", '[\n{"a": 1}\n', "a.json:3: is not JSON: a comma or the end of the list is missing"),
        ("a.json", '[{"a": 1}]\n[', "a.json:2: is not JSON: something follows the list"),
        ("a.json", '[{"a": NaN}]', "a.json:1: is not JSON: NaN is not JSON"),
        ("a.json", '[{"a": 1},\n7]', "a.json:2: is no JSON object; found 7"),
        ("a.jsonl", '{"a": 1}\n{"a": 2', "a.jsonl:2: is not JSON"),
        ("a.csv", 'text,label\na,b\n"torn', "a.csv:3: is not CSV: unexpected end of data; look for a quotation mark"),
        ("a.csv", "text,label\na,b,c\n", "a.csv:2: has 3 cells, and the header 2"),
        ("a.csv", "text,text\na,b\n", "a.csv:1: the column 'text' stands twice"),
        ("a.csv", b"text,label\ncaf\xe9,b\n", "a.csv:2: is not UTF-8: byte 0xe9; save the file as UTF-8"),
        ("a.jsonl", b'{"a": "\xff"}\n', "a.jsonl:1: is not UTF-8"),
        ("a.parquet", "PAR1, not", "a.parquet: is not Parquet"),
        ("a.tsv", "a\tb\n", "a.tsv: ends in .tsv; give a file that ends in .csv, .jsonl, .json, .parquet"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, name, data, words):
    found = told(made(tmp_path, name, data))
    assert len(found) == 1
    assert found[0].startswith(words)


def test_every_bad_line_is_named_at_once(tmp_path):
    path = made(tmp_path, "a.csv", "text,label\na\nb,c\nd,e,f\n")
    assert [line.split(":")[1] for line in told(path)] == ["2", "4"]
    path = made(tmp_path, "a.jsonl", '{\n{"a": 1}\n[]\n')
    assert [line.split(":")[1] for line in told(path)] == ["1", "3"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet"])
def test_a_file_that_is_not_there(tmp_path, name):
    assert told(tmp_path / name)[0].startswith(f"{name}: ")
