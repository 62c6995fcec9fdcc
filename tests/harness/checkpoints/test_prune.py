"""What prune removes, what it never removes, and what an interruption leaves."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import checkpoint
from harness.checkpoint import Base
from harness.checkpoints import keeping, prune
from harness.checkpoints.shelf import Saved, training
from harness.checkpoints.sizes import freed, in_words
from harness.errors import InputError
from tests.command import command, environment, harness
from tests.harness.checkpoints.shelves import adapter, being_trained, made, step, whole

LOSSES = {50: 2.0, 100: 1.0, 150: 1.5, 200: 3.0}


@pytest.fixture
def shelf(tmp_path):
    folder = tmp_path / "checkpoints"
    adapter(folder / "soup-aa")
    for number, loss in LOSSES.items():
        step(folder / "soup-aa", number, validation_loss=loss, win_rate=loss / 4)
    return folder


def steps(shelf, name="soup-aa"):
    return sorted(int(path.name.split("-")[1]) for path in (shelf / name).glob("checkpoint-*"))


def pruned(shelf, capsys, keep, by=None):
    code = prune.verb(shelf, keep=keep, by=by, yes=True)
    assert code == 0
    return capsys.readouterr()


@pytest.mark.parametrize(
    ("keep", "by", "left"),
    [
        ("best:1", None, [100]),
        ("best:2", None, [100, 150]),
        ("best:2", "win_rate", [50, 200]),
        ("best:1", "win_rate:lowest", [100]),
        ("best:1", "validation_loss:highest", [200]),
        ("last:1", None, [200]),
        ("last:3", None, [100, 150, 200]),
        ("best:9", None, [50, 100, 150, 200]),
        ("step:100", None, [100]),
        ("step:200,50,200", None, [50, 200]),
    ],
)
def test_the_named_the_best_or_the_last_stay_and_the_end_always(shelf, capsys, keep, by, left):
    pruned(shelf, capsys, keep, by)
    assert steps(shelf) == left
    assert checkpoint.verify(shelf / "soup-aa") == []
    assert all(checkpoint.verify(shelf / "soup-aa" / f"checkpoint-{number}", state=True) == [] for number in left)


def test_what_goes_and_what_it_freed_is_said(shelf, capsys):
    sizes = sum(path.stat().st_size for path in (shelf / "soup-aa").glob("checkpoint-[25]*0/*"))
    said = pruned(shelf, capsys, "best:2")
    assert said.out.splitlines() == [
        "soup-aa/checkpoint-50: validation_loss 2",
        "soup-aa/checkpoint-200: validation_loss 3",
        f"2 saved steps to remove, which frees {in_words(sizes)}",
        "of each training stay its end, where it has one, and the 2 saved steps with the lowest validation_loss",
        f"freed {in_words(sizes)}",
    ]
    assert pruned(shelf, capsys, "best:2").out.startswith("nothing to remove")


def test_a_file_with_two_names_is_freed_once_and_one_with_a_name_elsewhere_not_at_all(tmp_path):
    for name in ("one", "two", "kept"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "index").write_bytes(b"x" * 700)
    os.link(tmp_path / "one" / "index", tmp_path / "two" / "index")
    (tmp_path / "two" / "own").write_bytes(b"x" * 50)
    (tmp_path / "two" / "link").symlink_to(tmp_path / "kept")
    doomed = [tmp_path / "one", tmp_path / "two"]
    assert freed(doomed) == 750
    assert freed(doomed[:1]) == 0
    os.link(tmp_path / "one" / "index", tmp_path / "kept" / "index")
    assert freed(doomed) == 50


def test_what_was_freed_is_what_the_files_held(shelf, capsys):
    top, doomed = shelf / "soup-aa" / "training_index.npz", shelf / "soup-aa" / "checkpoint-200" / "training_index.npz"
    top.write_bytes(b"i" * 5000)
    os.link(top, doomed)
    before = sum(path.stat().st_size for path in shelf.rglob("*") if path.is_file() and path != doomed)
    said = pruned(shelf, capsys, "best:3").out
    after = sum(path.stat().st_size for path in shelf.rglob("*") if path.is_file())
    assert said.splitlines()[-1] == f"freed {in_words(before - after)}"
    assert top.stat().st_nlink == 1


def test_steps_without_the_figure_are_said_and_go_first(shelf, capsys):
    step(shelf / "soup-aa", 250, win_rate=0.9)
    step(shelf / "soup-aa", 270, validation_loss=float("nan"))
    said = pruned(shelf, capsys, "best:4")
    assert steps(shelf) == [50, 100, 150, 200]
    assert "soup-aa: no validation_loss at checkpoint-250 and checkpoint-270, which count as the worst\n" in said.err
    assert "soup-aa/checkpoint-250: no validation_loss" in said.out


def test_a_training_without_the_figure_is_left_alone(shelf, capsys):
    said = pruned(shelf, capsys, "best:1", "accuracy")
    assert steps(shelf) == [50, 100, 150, 200]
    assert "soup-aa: no saved step has accuracy; left alone (--by takes validation_loss and win_rate here)" in said.err


def test_the_only_checkpoint_of_a_training_stays_and_where_it_would_go_on_is_said(tmp_path, capsys):
    for number in (50, 100):
        step(tmp_path / "c" / "stew-bb", number, validation_loss=number)
    said = pruned(tmp_path / "c", capsys, "best:1")
    assert steps(tmp_path / "c", "stew-bb") == [50]
    assert "stew-bb: its training is not finished and would go on from step 50\n" in said.err
    pruned(tmp_path / "c", capsys, "last:1")
    assert steps(tmp_path / "c", "stew-bb") == [50]


def test_named_steps_are_kept_and_what_went_is_said(shelf, capsys):
    said = pruned(shelf, capsys, "step:100,150")
    assert "of each training stay its end, where it has one, and saved steps 100 and 150" in said.out
    assert "soup-aa/checkpoint-200: step 200 of 290\n" in said.out


def test_a_training_without_a_step_that_is_named_is_left_alone(shelf, capsys):
    step(shelf / "stew-bb", 70)
    said = pruned(shelf, capsys, "step:100,160")
    assert (steps(shelf), steps(shelf, "stew-bb")) == ([50, 100, 150, 200], [70])
    assert "soup-aa: has no saved step 160, only 50, 100, 150 and 200; left alone\n" in said.err
    assert "stew-bb: has no saved step 100 and 160, only 70; left alone\n" in said.err
    assert "nothing to remove: no training has more than saved steps 100 and 160" in said.out


def test_the_end_is_the_step_that_its_weights_are_of(shelf, capsys):
    # The end was trained for 290 steps, and is there whatever goes.
    pruned(shelf, capsys, "step:290")
    assert steps(shelf) == []
    assert checkpoint.verify(shelf / "soup-aa") == []


def test_a_training_under_way_is_left_alone(shelf, capsys):
    step(shelf / "stew-bb", 50, validation_loss=1)
    step(shelf / "stew-bb", 100, validation_loss=2)
    with being_trained(shelf / "stew-bb"):
        said = pruned(shelf, capsys, "best:1")
    assert (steps(shelf), steps(shelf, "stew-bb")) == ([100], [50, 100])
    assert "stew-bb: being trained now; left alone\n" in said.err


def test_no_training_can_begin_while_it_removes(shelf):
    from harness.checkpoints.shelf import held, is_running

    with held(shelf / "soup-aa") as mine:
        assert mine
        assert is_running(shelf / "soup-aa")
        descriptor = os.open(shelf / ".soup-aa.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    assert not is_running(shelf / "soup-aa")


def test_nothing_behind_a_link_is_removed(shelf, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere"
    for number in (10, 20, 30):
        step(elsewhere / "stew-bb", number, validation_loss=9 - number / 10)
    (shelf / "stew-bb").symlink_to(elsewhere / "stew-bb")
    (shelf / "soup-aa" / "checkpoint-10").symlink_to(elsewhere / "stew-bb" / "checkpoint-10")
    (shelf / "soup-aa" / "checkpoint-200" / "more").symlink_to(elsewhere)
    said = pruned(shelf, capsys, "best:1")
    assert steps(elsewhere, "stew-bb") == [10, 20, 30]
    assert len(list((elsewhere / "stew-bb" / "checkpoint-10").iterdir())) == 4
    assert steps(shelf) == [10, 100]
    assert "stew-bb: is a link to another place; left alone\n" in said.err
    assert "soup-aa/checkpoint-10: is a link; left alone\n" in said.err


def test_folders_without_a_manifest_of_ours_stay(shelf, capsys):
    torn, foreign, broken = (shelf / "soup-aa" / f"checkpoint-{number}" for number in (10, 20, 30))
    for folder, text in ((torn, None), (foreign, '{"files": []}'), (broken, '{"steps_done": 3')):
        folder.mkdir()
        (folder / "weights").write_text("x")
        if text is not None:
            (folder / "manifest.json").write_text(text)
    said = pruned(shelf, capsys, "last:1").err
    assert steps(shelf) == [10, 20, 30, 200]
    assert "soup-aa/checkpoint-10: no manifest of ours; left alone\n" in said
    assert "soup-aa/checkpoint-20: no manifest of ours; left alone\n" in said
    assert f"{broken}/manifest.json: is not the manifest of a checkpoint" in said


def test_a_step_that_an_adapter_was_trained_on_stays(tmp_path, capsys):
    shelf = tmp_path / "checkpoints"
    for number in (50, 100, 150):
        folder = whole(shelf / "broth-aa" / f"checkpoint-{number}", value=number)
        checkpoint.write(folder, made(folder, base=None, steps_done=number))
    needed = checkpoint.fingerprint(shelf / "broth-aa" / "checkpoint-50")
    adapter(shelf / "soup-bb", base=Base(spec="hf/checkpoints/broth-aa/checkpoint-50", sha256=needed))
    said = pruned(shelf / "broth-aa", capsys, "last:1")
    assert steps(shelf, "broth-aa") == [50, 150]
    assert "broth-aa/checkpoint-50: an adapter's base; left alone\n" in said.err


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.checkpoints import prune
seen = []
def hook(event, arguments):
    if event in ("os.remove", "os.rename", "os.rmdir"):
        seen.append(event)
        if len(seen) > int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
prune.verb(Path(sys.argv[1]), keep="best:3", by=None, yes=True)
"""


@pytest.mark.parametrize("after", range(7))
def test_a_killed_prune_leaves_nothing_that_looks_whole_and_the_next_one_finishes(shelf, capsys, after):
    doomed = shelf / "soup-aa" / "checkpoint-200"
    done = subprocess.run([sys.executable, "-c", KILLED, str(shelf), str(after)], capture_output=True, check=False)
    whole_still = (doomed / "manifest.json").is_file()
    if doomed.exists():
        assert done.returncode == -signal.SIGKILL
        if whole_still:
            assert checkpoint.verify(doomed, state=True) == []
        assert (200 in [saved.step for saved in training(shelf / "soup-aa").steps]) == whole_still
    said = pruned(shelf, capsys, "best:3").out
    assert steps(shelf) == [50, 100, 150]
    assert ("left by an interrupted prune" in said) == (doomed.name in said and not whole_still)


def test_nobody_to_ask_is_an_error_that_names_the_way_out(shelf, tmp_path):
    done = harness("checkpoints", "prune", shelf, "--keep", "best:2", env=environment(tmp_path))
    assert done.code == 2
    assert done.err == "error: nobody can be asked here whether to remove them; add --yes, or run it in a terminal\n"
    assert "soup-aa/checkpoint-200: validation_loss 3\n" in done.out
    assert steps(shelf) == [50, 100, 150, 200]


@pytest.mark.parametrize(("reply", "left"), [(b"\n", [50, 100, 150, 200]), (b"y\n", [100])])
def test_it_asks_first_in_a_terminal(shelf, tmp_path, reply, left):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("checkpoints", "prune", shelf, "--keep", "best:1"),
        stdin=theirs,
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
    )
    os.write(ours, reply)
    out = process.communicate(timeout=60)[0].decode()
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, steps(shelf)) == (0, left)
    assert "Remove them? [y/N]" in out
    assert ("nothing was removed" in out) == (len(left) > 1)


@pytest.mark.parametrize(
    "keep", ["best", "best:0", "best:-1", "best:x", "first:2", "best:1.5", "step:", "step:1,", "step:-1", "step:a", ""]
)
def test_what_keep_cannot_be_is_said(keep):
    with pytest.raises(InputError, match=r"--keep takes best:N or last:N with N from 1 on, or step:N,N,…, found"):
        keeping.rule(keep, None)


def test_what_by_cannot_be_is_said():
    with pytest.raises(InputError, match="--by belongs to --keep best:N"):
        keeping.rule("last:2", "win_rate")
    with pytest.raises(InputError, match="--by belongs to --keep best:N"):
        keeping.rule("step:2", "win_rate")
    with pytest.raises(InputError, match="--by takes METRIC, METRIC:lowest or METRIC:highest, found 'loss:up'"):
        keeping.rule("best:2", "loss:up")


@pytest.mark.parametrize(
    ("metric", "less"),
    [
        *((metric, True) for metric in ("validation_loss", "perplexity", "kl", "ece", "mean_error")),
        *((metric, False) for metric in ("win_rate", "accuracy", "mcc", "recall", "skill", "reward_margin")),
    ],
)
def test_of_losses_the_lowest_is_best_and_of_scores_the_highest(metric, less):
    assert keeping.rule("best:1", metric).less is less


@pytest.fixture(scope="module")
def like(tmp_path_factory):
    return checkpoint.read(step(tmp_path_factory.mktemp("like"), 1))


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8), st.integers(1, 9))
def test_no_step_that_goes_was_better_than_one_that_stays(like, values, count):
    wanted = keeping.rule(f"best:{count}", "win_rate")
    saved = [
        Saved(path=Path(str(n)), step=n, manifest=replace(like, metrics={} if value is None else {"win_rate": value}))
        for n, value in enumerate(values)
    ]
    going = keeping.surplus(saved, wanted)
    staying = [one for one in saved if one not in going]
    assert len(staying) == min(count, len(saved))

    def worth(one):
        value = keeping.figure(one, wanted)
        return -1.0 if value is None else value

    assert max(map(worth, going), default=-1.0) <= min(map(worth, staying), default=1.0)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (3_665_872, "3.7 MB"),
        (999_600, "1.0 MB"),
        (5 * 10**12, "5.0 TB"),
    ],
)
def test_sizes_are_said_in_words(size, said):
    assert in_words(size) == said


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such folder of checkpoints"):
        prune.verb(tmp_path / "nowhere", keep="best:1", by=None, yes=True)
