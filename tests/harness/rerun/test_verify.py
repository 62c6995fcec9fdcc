"""`harness rerun --verify`: a run's records lead to its summary byte for byte, and every tampering shows."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.command import environment, world
from tests.harness.rerun.made import answering, contents, differences, edit, finished, harness, manifest, steady, verify
from tests.harness.test_run import judge
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import lines, write_lines


def change(path: Path, **keys):
    edit(path, **keys)


def test_an_untouched_run_is_the_same_byte_for_byte_and_stays_untouched(run):
    before = contents(run)
    done = verify(run, "--json")
    assert done.code == 0, done.out
    assert (done.json["outcome"], done.json["summary"], done.json["differences"]) == ("same", "same", [])
    assert done.json["judges"] == {
        "openai/judge": {"cache": 24 + 8},
        "rubric": {"judged": 24 + 8},
        "old": {"file": 12},
        "control/random": {"judged": 24},
        "control/longest": {"judged": 24},
    }
    assert (done.json["responses"], done.json["judgments"]) == (24, 24 * 4 + 12)
    assert contents(run) == before


def test_it_is_said_in_words(run):
    done = verify(run)
    text = " ".join(done.out.split())
    assert "The same summary, byte for byte (108 judgments, 24 responses held against their source)." in text
    assert "openai/judge: 32 replayed from the cache" in text
    assert "rubric: 32 judged again" in text
    assert max(map(len, done.out.splitlines())) <= 80


def test_what_the_cache_has_lost_is_taken_from_the_journal_and_counted(run):
    harness("cache", "clear", env=environment(run.parent))
    done = verify(run, "--json")
    assert (done.code, done.json["outcome"]) == (0, "same")
    assert done.json["judges"]["openai/judge"] == {"journal": 32}


def test_an_edited_judgment_shows_with_both_values(run):
    row = lines(run / "judgments.jsonl")[0]
    other = {"A": "B", "B": "A"}[row["verdict"]]
    winner = {"candidate": "baseline", "baseline": "candidate"}[row["winner"]]
    change(run / "judgments.jsonl", verdict=other, winner=winner)
    done = verify(run, "--json")
    assert done.code == 1
    where = f"judgments.jsonl ({row['id']}, {row['judge']}, {row['order']}, 0): verdict"
    found = {one["what"]: (one["run"], one["replay"]) for one in done.json["differences"]}
    assert found[where] == (other, row["verdict"])
    assert "judgments.jsonl: not what the run wrote (SHA-256)" in found
    text = " ".join(verify(run).out.split())
    assert f"{where}: {other} in the run, {row['verdict']} in the replay" in text


def test_an_edited_judgment_shows_even_where_the_cache_has_lost_its_reply(run):
    harness("cache", "clear", env=environment(run.parent))
    rows = lines(run / "judgments.jsonl")
    place = next(n for n, row in enumerate(rows) if row["judge"] == "openai/judge")
    rows[place] |= {"verdict": "tie", "winner": "tie"}
    write_lines(run / "judgments.jsonl", rows)
    assert "judgments.jsonl: not what the run wrote (SHA-256)" in differences(run)


def test_a_judgment_that_contradicts_itself_is_a_difference_with_its_line(run):
    change(run / "judgments.jsonl", winner="tie")
    assert any("judgments.jsonl:1: " in found and "contradict" in found for found in differences(run))


def test_an_edited_summary_shows_with_both_values(run):
    value = json.loads((run / "summary.json").read_text())
    value["judges"]["rubric"]["win_rate"] = 0.99
    (run / "summary.json").write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    assert differences(run) == ["summary.json judges.rubric.win_rate"]
    assert "0.99 in the run" in " ".join(verify(run).out.split())


def test_a_summary_in_other_bytes_or_gone_shows(run):
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(text + "\n")
    assert differences(run) == ["summary.json"]
    (run / "summary.json").unlink()
    assert differences(run) == ["summary.json"]


def test_a_deleted_line_shows(run):
    rows = lines(run / "judgments.jsonl")
    write_lines(run / "judgments.jsonl", rows[1:])
    first = rows[0]
    assert f"judgments.jsonl ({first['id']}, {first['judge']}, {first['order']}, 0)" in differences(run)


def test_an_edited_response_shows_by_its_hash_its_file_and_its_outcome(run):
    rows = lines(run / "responses.jsonl")
    rows[0]["response"] = "No soup today."
    write_lines(run / "responses.jsonl", rows)
    found = differences(run)
    assert "responses.jsonl: not what the run wrote (SHA-256)" in found
    assert f"responses.jsonl ({rows[0]['id']}, {rows[0]['role']}, 0): text" in found
    assert any(re.match(rf"judgments.jsonl \({rows[0]['id']}, rubric, .*\): verdict", one) for one in found)
    assert any("candidate_length" in one for one in found)


def test_an_added_line_of_a_judge_of_the_run_shows_and_a_humans_does_not(run):
    row = {"id": "p000", "judge": "human/ann", "order": "candidate_first", "verdict": "A", "status": "ok"}
    with (run / "judgments.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    assert not any("lines were added" in found for found in differences(run))
    harness("analyze", run, "--out", run.parent / "with", env=environment(run.parent))
    shutil.copyfile(run.parent / "with" / "summary.json", run / "summary.json")
    done = verify(run, "--json")
    assert done.code == 0, done.json
    assert "human/ann: 1 judgments were added to the run; taken as they are" in done.json["notes"]
    with (run / "judgments.jsonl").open("a") as file:
        file.write(json.dumps(row | {"judge": "openai/judge"}) + "\n")
    assert "judgments.jsonl: lines were added after the run" in differences(run)


@pytest.mark.parametrize("name", ["candidate.jsonl", "verdicts.jsonl"])
def test_a_swapped_file_shows(run, name):
    path = run.parent / name
    path.write_text(path.read_text().replace("tender", "soft").replace('"A"', '"B"'))
    found = differences(run)
    assert len(found) == 1
    assert "(SHA-256)" in found[0]


def test_a_file_that_is_gone_is_said_and_no_difference(run):
    (run.parent / "verdicts.jsonl").unlink()
    (run.parent / "candidate.jsonl").unlink()
    done = verify(run, "--json")
    assert (done.code, done.json["judges"]["old"]) == (0, {"journal": 12})
    assert sum("there is no such file" in note for note in done.json["notes"]) == 2


def test_only_journalled_verdicts_verify_nothing(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6)
        harness("cache", "clear", env=environment(tmp_path))
        done = verify(run, "--json", server=server)
        assert (done.code, done.json["outcome"]) == (3, "nothing verified")
        assert "Nothing could be verified" in verify(run, server=server).out


def test_an_incomplete_run_is_verified_as_far_as_it_goes(tmp_path):
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[9])]) as server:
        env = environment(tmp_path, server.url)
        done = harness("run", world(tmp_path), "--out", tmp_path / "run", "--concurrency", "1", env=env)
        assert done.code == 4
        done = verify(tmp_path / "run", "--json", server=server)
        assert (done.code, done.json["outcome"], done.json["complete"]) == (0, "same", False)
        assert done.json["summary"] == "same"
        assert "was verified as far as it goes" in done.json["notes"][-1]
        edit(tmp_path / "run" / "judgments.jsonl", verdict="tie", winner="tie")
        assert verify(tmp_path / "run", server=server).code == 1


def test_answers_of_a_model_are_held_against_the_cache_and_nobody_is_asked(tmp_path):
    with answering() as server:
        env = environment(tmp_path, server.url)
        arguments = ("--candidate", "openai/good", "--baseline", "anthropic/poor", "--out", tmp_path / "run")
        assert harness("run", world(tmp_path, 6), *arguments, env=env).code == 0
        asked = len(server.requests)
        done = verify(tmp_path / "run", "--json", server=server)
        assert (done.code, done.json["responses"]) == (0, 12)
        del env["OPENAI_API_KEY"]
        assert harness("rerun", tmp_path / "run", "--verify", env=env).code == 0
        assert len(server.requests) == asked
        rows = lines(tmp_path / "run" / "responses.jsonl")
        rows[0]["response"] = rows[0]["response"].replace("Dish", "Fish")
        write_lines(tmp_path / "run" / "responses.jsonl", rows)
        done = verify(tmp_path / "run", "--json", server=server)
        found = [one["what"] for one in done.json["differences"]]
        assert f"responses.jsonl ({rows[0]['id']}, {rows[0]['role']}, 0): text" in found


def test_reruns_and_second_attempts_are_verified_too(tmp_path):
    with Loopback(policy=judge, faults=[Fault(kind="off_menu", containing="dish 3 made", times=1)]) as server:
        run = finished(tmp_path, server, 8)
        env = environment(tmp_path, server.url)
        assert harness("rerun", run, "--times", "1", env=env).code == 0
        for path in (run, tmp_path / "run-rerun-1"):
            done = verify(path, "--json", server=server)
            assert (done.code, done.json["judges"]["openai/judge"]) == (0, {"cache": 24}), done.json


def test_a_run_without_seals_is_verified_and_says_so(run):
    value = manifest(run)
    del value["seals"]
    (run / "manifest.json").write_text(json.dumps(value))
    done = verify(run, "--json")
    assert done.code == 0
    assert any("without seals" in note for note in done.json["notes"])
