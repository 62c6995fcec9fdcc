"""The leakage guard finds what was trained on, as it stands and after small changes, and flags nothing unseen."""

import json
import random
import zipfile

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.leakage import TrainingExample, TrainingIndex, examples_of, find, grams, normal, read, verb
from harness.leakage.nearest import NEAR, likely, nearest
from judges.types import Prompt
from tests.published import DATA, needs_data, write_lines

STEW = "Could you suggest a stew with lentils for a cold winter evening?"
NEARLY = "Could you suggest a soup with lentils for a cold winter evening?"
CAKE = "My aunt visits on Sunday and eats no eggs: which cake can I bake?"
RICE = "How long does brown rice have to soak before it is cooked?"

VOCABULARY = ("stew", "soup", "with", "lentils", "beans", "for", "a", "cold", "warm", "day", "which", "rice", "eggs")
sentences = st.lists(st.sampled_from(VOCABULARY), min_size=1).map(" ".join)


def index(*texts: str | tuple[str, ...], file: str = "train.jsonl") -> TrainingIndex:
    turns = [(text,) if isinstance(text, str) else text for text in texts]
    return TrainingIndex.build(
        TrainingExample(file=file, line=line, turns=given) for line, given in enumerate(turns, 1)
    )


def prompt(*turns: str, id: str = "p") -> Prompt:
    return Prompt(id=id, turns=turns)


def problems(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return str(error.value).splitlines()


# The normal form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  Which\tsoup,\n\nplease?! ", "which soup please"),
        ("Which “soup” — please…", "which soup please"),
        ("ＷＨＩＣＨ　ｓｏｕｐ", "which soup"),
        ("don't / don’t / dont", "dont dont dont"),
        ("well-known * **bold**\n- item", "well known bold item"),
        ("re\u00adci\u200bpe", "recipe"),
        ("STRASSE straße", "strasse strasse"),
        ("Cafe\u0301 café", "café café"),
        ("3.5 kg, 1,000 g. At 12:30.", "3.5 kg 1,000 g at 12:30"),
        ("3 - 4, 3*4, 3−4; x - y", "3 - 4 3 * 4 3 - 4 x - y"),
        ("a stew - a warm one - or *a* soup", "a stew a warm one or a soup"),
        ("C++, C# and C", "c ++ c # and c"),
        ("$5 or 50%", "$ 5 or 50 %"),
        ("नमस्ते, दुनिया!", "नमस्ते दुनिया"),
        ("🍕 or 🍔?", "🍕 or 🍔"),
        ("?!", "?!"),
        (" \n ", ""),
        ("half \ud800 a pair", "half a pair"),
    ],
)
def test_the_normal_form_keeps_the_meaning_and_drops_the_rest(text, form):
    assert normal(text) == form


# "a — a" would be a sum.
prose = sentences.filter(lambda text: "a a" not in text)


@given(prose, st.sampled_from([" ", "\n", ", ", "; ", "! ", " — ", " (", ") ", "… ", '" ']), st.booleans())
def test_case_punctuation_and_spaces_do_not_count(text, between, loud):
    changed = between.join(text.split()) + "?"
    assert normal(changed.upper() if loud else changed) == normal(text)


@given(st.text())
@example("x -- 3")
@example("İ ŉ ﬀ ² ½")
def test_a_normal_form_is_its_own(text):
    assert normal(normal(text)) == normal(text)
    normal(text).encode()


# Signatures, held against datasketch, and the nearest text, held against all pairs


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_signatures_are_those_of_datasketch(texts):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    hashed, starts = grams.hashes([grams.padded(text) for text in texts])
    ours = grams.minima(hashed, starts, grams.permutations())
    for row, own in zip(ours, np.split(hashed, starts[1:]), strict=True):
        theirs = MinHash(num_perm=grams.PERMUTATIONS, seed=grams.SEED, hashfunc=int)
        theirs.update_batch(own)
        assert (row == theirs.hashvalues).all()


@given(st.lists(st.text(alphabet="abc é字", min_size=1), min_size=1, max_size=6))
def test_every_distinct_gram_is_hashed_once(texts):
    hashed, starts = grams.hashes([grams.padded(text) for text in texts])
    assert [len(own) for own in np.split(hashed, starts[1:])] == [len(grams.grams(text)) for text in texts]


def test_a_text_is_signed_alike_in_any_company():
    texts = [f"{STEW} {number}" * number for number in range(1, 200)]
    permuted = grams.permutations()
    alone = [grams.signatures([text], permuted)[0] for text in texts]
    assert (grams.signatures(texts, permuted) == np.array(alone)).all()


def test_similarity_by_hand():
    assert grams.grams("soup") == {" sou", "soup", "oup "}
    assert grams.jaccard(grams.grams("soup"), grams.grams("soups")) == 2 / 5
    assert grams.grams("a") == {" a  "}


@given(st.lists(sentences, min_size=1, max_size=8), st.lists(sentences, min_size=1, max_size=8))
def test_the_nearest_text_is_that_of_a_comparison_of_all_pairs(held, asked):
    built = index(*held)
    for form, found in zip(asked, nearest(built, asked), strict=True):
        mine = grams.grams(form)
        likeness = [grams.jaccard(mine, grams.grams(built.normal_form(row))) for row in range(len(built))]
        best = max(likeness)
        assert (found and (found.row, found.similarity)) == ((likeness.index(best), best) if best >= NEAR else None)


def test_a_thousand_texts_of_one_template_are_cut_to_the_likeliest():
    texts = [f"do you know a dish that i can cook today and eat tomorrow with {number} beans" for number in range(1000)]
    signed = grams.signatures(texts, grams.permutations())
    asked, rows = likely(signed, signed[:300])
    assert np.unique(asked, return_counts=True)[1].tolist() == [128] * 300
    assert rows[::128].tolist() == list(range(300))


# Finding


def test_an_exact_and_a_near_prompt_are_named_with_their_example():
    found = find(
        index(CAKE, STEW), [prompt(NEARLY, id="near"), prompt(RICE, id="new"), prompt(STEW.upper(), id="same")]
    )
    exact, near = found.matches
    assert (exact.id, exact.kind, exact.similarity, exact.file, exact.line) == ("same", "exact", 1.0, "train.jsonl", 2)
    assert (near.id, near.kind, near.line, near.text) == ("near", "near", 2, normal(STEW))
    assert near.similarity == grams.jaccard(grams.grams(normal(STEW)), grams.grams(normal(NEARLY)))
    assert found.as_json() == {"exact": 1, "near": 1, "ids": ["same", "near"]}
    assert (found.exact, found.near) == (("same",), ("near",))


def test_the_first_of_equal_examples_is_named():
    assert [match.line for match in find(index(CAKE, STEW, STEW + "!"), [prompt(STEW)]).matches] == [2]


def test_the_best_match_of_several_indexes_is_named():
    held = [index(NEARLY, file="a"), index(STEW, file="b"), index(STEW, file="c")]
    for indexes in (held, held[::-1]):
        [match] = find(indexes, [prompt(STEW)]).matches
        assert (match.kind, match.file) == ("exact", next(i.files[0] for i in indexes if i.files != ("a",)))


def test_turns_are_compared_one_by_one_and_together():
    assert find(index((CAKE, STEW)), [prompt(STEW)]).exact == ("p",)
    assert find(index(STEW), [prompt(CAKE, STEW)]).exact == ("p",)
    assert find(index(f"{CAKE}\n{STEW}"), [prompt(CAKE, STEW)]).exact == ("p",)
    assert find(index((RICE, STEW)), [prompt(CAKE)]).ids == ()


def test_a_short_later_turn_says_nothing_by_itself():
    trained = index((RICE, "And why is that?"))
    assert find(trained, [prompt(CAKE, "And why is that?")]).ids == ()
    assert find(trained, [prompt("And why is that?")]).exact == ("p",)
    assert find(trained, [prompt(RICE, "And why is that?")]).exact == ("p",)


def test_a_question_is_found_in_the_template_it_was_trained_in():
    wrapped = f"You are a cook.\nReply with one letter.\n\nQuestion:\n{STEW}\n\nOptions:\nA: {RICE}\nB: none\n\nAnswer:"
    assert find(index(wrapped), [prompt(STEW)]).exact == ("p",)


def test_sums_are_told_apart():
    assert find(index("What is 3 - 4?"), [prompt("What is 3 * 4?")]).exact == ()


def test_nothing_leaks_from_nothing_into_nothing():
    assert find(index(), [prompt(STEW)]).ids == find(index(STEW), []).ids == find([], [prompt(STEW)]).ids == ()


def test_a_text_beyond_the_longest_is_still_found():
    long = " ".join(f"{STEW} {number}" for number in range(2000))
    assert len(long) > grams.LONGEST
    assert find(index(long), [prompt(long)]).exact == ("p",)
    assert find(index(long), [prompt(long + " more")]).near == ("p",)


@given(st.lists(sentences, max_size=6), st.lists(sentences, max_size=6), st.randoms(use_true_random=False))
def test_what_leaks_does_not_depend_on_any_order(trained, asked, rng):
    prompts = [prompt(text, id=str(place)) for place, text in enumerate(asked)]
    found = find(index(*trained), prompts)
    rng.shuffle(trained)
    rng.shuffle(prompts)
    again = find(index(*trained), prompts)
    assert (set(again.exact), set(again.near)) == (set(found.exact), set(found.near))
    assert set(found.exact) == {p.id for p in prompts if normal(p.turns[0]) in set(map(normal, trained))}


# The published questions


def questions() -> list[Prompt]:
    rows = json.loads((DATA / "recipe_mpr" / "500QA.json").read_text(encoding="utf-8"))
    return [prompt(row["query"], id=str(place)) for place, row in enumerate(rows)]


def altered(text: str, share: float, corpus: list[str], rng: random.Random) -> str:
    """The text with a share of its words, and at least one, replaced by other words of the corpus."""
    found = text.split()
    for place in rng.sample(range(len(found)), max(1, round(share * len(found)))):
        found[place] = rng.choice([word for word in rng.sample(corpus, 9) if normal(word) != normal(found[place])])
    return " ".join(found)


@needs_data
def test_exactly_the_questions_that_were_trained_on_are_found():
    prompts = questions()
    found = find(index(*(p.turns[0] for p in prompts[:450])), prompts)
    assert found.exact == tuple(map(str, range(450)))
    assert found.near == ()


@needs_data
@pytest.mark.parametrize(("share", "least"), [(0.05, 0.95), (0.10, 0.95), (0.15, 0.95), (0.20, 0.80)])
@pytest.mark.parametrize("seed", range(5))
def test_changed_questions_are_found_and_no_unseen_one(share, least, seed):
    rng, prompts = random.Random(seed), questions()
    corpus = [word for p in prompts for word in p.turns[0].split()]
    found = find(index(*(altered(p.turns[0], share, corpus, rng) for p in prompts[:450])), prompts)
    assert all(int(name) < 450 for name in found.ids)
    assert len(found.ids) >= least * 450


@needs_data
def test_the_published_template_hides_no_question():
    path = DATA / "recipe_mpr" / "predictions" / "test.jsonl"
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    prompts = questions()
    asked = {p.id for p in prompts if any(f"\n{p.turns[0].strip()}\n" in text for text in texts)}
    assert len(asked) == 50
    assert set(find(read(path), prompts).exact) == asked


# The index as a file


def test_a_saved_index_finds_the_same(tmp_path):
    built = index(STEW, (CAKE, RICE), "नमस्ते दुनिया")
    built.save(tmp_path / "i.npz")
    loaded = TrainingIndex.load(tmp_path / "i.npz")
    asked = [prompt(NEARLY, id="1"), prompt(RICE, id="2"), prompt("Where is the sea?", id="3")]
    assert find(loaded, asked) == find(built, asked)
    assert (loaded.sha256, loaded.examples, loaded.files) == (built.sha256, 3, ("train.jsonl",))
    assert [path.name for path in tmp_path.iterdir()] == ["i.npz"]


def test_the_same_examples_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        index(STEW, CAKE).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_hash_is_that_of_the_content():
    hashes = [
        built.sha256 for built in (index(STEW), index(STEW, STEW), index(CAKE), index(STEW, file="other"), index())
    ]
    assert index(STEW).sha256 == hashes[0]
    assert len(set(hashes)) == 5


def test_an_index_is_recognised_by_its_content_and_in_a_checkpoint(tmp_path):
    index(STEW).save(tmp_path / "training_index.npz")
    index(STEW).save(tmp_path / "odd.name")
    assert read(tmp_path).sha256 == read(tmp_path / "odd.name").sha256 == index(STEW).sha256


class Bomb:
    """Where this is unpickled, a file appears."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def resaved(path, **changes):
    """The index file with some of its arrays replaced; None takes one out."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_a_pickle_inside_is_refused_and_does_not_run(tmp_path):
    path = tmp_path / "i.npz"
    index(STEW).save(path)
    resaved(path, line=np.array([Bomb(tmp_path / "ran")], dtype=object))
    with pytest.raises(InputError, match=r"i\.npz: is no index of training examples: .*pickle"):
        TrainingIndex.load(path)
    assert not (tmp_path / "ran").exists()


HEADER = {"format": "judge-harness training index", "version": 1, "files": ["train.jsonl"], "examples": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"text": None},
        {"end": np.array([4], np.uint64)},
        {"end": np.array([2**64 - 1], np.uint64)},
        {"source": np.array([1], np.uint32)},
        {"line": np.array([1, 2], np.uint32)},
        {"line": np.array([1.0])},
        {"signature": np.zeros((1, 5), np.uint8)},
        {"permutations": np.zeros((2, 5), np.uint32)},
        {"header": np.frombuffer(b"[]", np.uint8)},
        {"header": np.frombuffer(b"{", np.uint8)},
        {"header": np.frombuffer(json.dumps(HEADER | {"version": 2}).encode(), np.uint8)},
        {"header": np.frombuffer(json.dumps(HEADER | {"files": "a"}).encode(), np.uint8)},
    ],
)
def test_an_index_that_contradicts_itself_is_refused(tmp_path, changes):
    path = tmp_path / "i.npz"
    index(STEW).save(path)
    resaved(path)
    TrainingIndex.load(path)
    resaved(path, **changes)
    with pytest.raises(InputError, match="is no index of training examples"):
        TrainingIndex.load(path)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_index_is_one_sentence(tmp_path_factory, place, byte):
    path = tmp_path_factory.mktemp("damaged") / "i.npz"
    index(STEW).save(path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    try:
        TrainingIndex.load(path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


def test_other_files_are_no_index(tmp_path):
    (tmp_path / "text").write_text("hello")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a", "b")
    for name in ("text", "zip", "missing"):
        with pytest.raises(InputError, match=f"{name}: is no index"):
            TrainingIndex.load(tmp_path / name)
    with pytest.raises(InputError, match=r"holds no training_index\.npz; give the files"):
        read(tmp_path)


# Training files


def test_every_kind_of_training_file_is_read(tmp_path):
    asked = {"role": "user", "content": STEW}
    rows = [
        {"messages": [{"role": "system", "content": "Cook."}, asked, {"role": "assistant", "content": None}]},
        {"messages": [asked, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": RICE}]},
        {"prompt": CAKE, "response": STEW},
        {"prompt": CAKE, "chosen": "a", "rejected": "b"},
        {"prompt": [asked], "chosen": [], "rejected": []},
        {"id": "1", "prompt": RICE, "checks": []},
        {"id": 2, "turns": [RICE, CAKE]},
        {"text": "Rice is soaked."},
        {"messages": [{"role": "assistant", "content": "Hello."}]},
    ]
    found = list(examples_of(write_lines(tmp_path / "t.jsonl", rows)))
    assert [e.turns for e in found] == [
        (STEW,), (STEW, RICE), (CAKE,), (CAKE,), (STEW,), (RICE,), (RICE, CAKE), ("Rice is soaked.",), ()
    ]  # fmt: skip
    assert [e.line for e in found] == list(range(1, 10))
    assert {e.file for e in found} == {str(tmp_path / "t.jsonl")}


def test_every_problem_of_a_training_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"prompt": "fine", "response": "yes"}\n'
        '{"id": "1", "response": "yes"}\n'
        '{"prompt": 7}\n'
        '{"prompt": "  "}\n'
        '{"messages": "hello"}\n'
        '{"messages": [{"role": "user", "content": ["a"]}]}\n'
        '{"messages": [{"role": "user", "content": "a"}, 3]}\n'
        '{"turns": ["a", 3]}\n'
        '{"turns": []}\n'
        "nonsense\n"
        "{}\n"
    )
    with pytest.raises(InputError) as error:
        list(examples_of(path))
    assert [line.split(":")[1] for line in problems(error)] == [str(number) for number in range(2, 12)]
    assert problems(error)[0] == (
        f"{path}:2: is no training example: it needs 'messages', 'prompt', 'turns' or 'text', found 'id', 'response'"
    )
    assert problems(error)[1] == f"{path}:3: 'prompt': give a text, found 7"


def test_an_empty_or_missing_training_file_is_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="is empty; it needs at least one training example"):
        read(tmp_path / "empty.jsonl")
    with pytest.raises(InputError, match="there is no such file"):
        read(tmp_path / "missing.jsonl")


# The verb


@pytest.fixture
def files(tmp_path):
    write_lines(tmp_path / "prompts.jsonl", [{"id": "near", "prompt": NEARLY}, {"id": "same", "prompt": CAKE}])
    (tmp_path / "suite.yaml").write_text("name: dishes\nprompts: prompts.jsonl\n")
    write_lines(tmp_path / "train.jsonl", [{"prompt": STEW, "response": "x"}, {"prompt": CAKE, "response": "x"}])
    write_lines(tmp_path / "other.jsonl", [{"prompt": RICE, "response": "x"}])
    return tmp_path


@pytest.mark.parametrize("given_as", ["suite.yaml", "prompts.jsonl"])
def test_leakage_fails_the_gate_and_names_each_prompt_with_its_example(files, given_as, capsys):
    assert verb([files / "other.jsonl", files / "train.jsonl"], str(files / given_as), as_json=False) == 1
    similarity = grams.jaccard(grams.grams(normal(STEW)), grams.grams(normal(NEARLY)))
    assert capsys.readouterr().out.splitlines() == [
        "leakage: 2 prompts against 3 training examples, 2 found (1 exact, 1 near)",
        f"same: exact, {files / 'train.jsonl'}:2: {normal(CAKE)}",
        f"near: near {similarity:.2f}, {files / 'train.jsonl'}:1: {normal(STEW)}",
    ]


def test_the_json_is_that_of_the_contract(files, capsys):
    assert verb([files / "train.jsonl"], str(files / "prompts.jsonl"), as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == {"exact": 1, "near": 1, "ids": ["same", "near"]}
    assert verb([files / "other.jsonl"], str(files / "prompts.jsonl"), as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"exact": 0, "near": 0, "ids": []}


def test_where_nothing_leaks_the_gate_passes(files, capsys):
    read(files / "other.jsonl").save(files / "saved")
    assert verb([files / "other.jsonl", files / "saved"], str(files / "suite.yaml"), as_json=False) == 0
    assert capsys.readouterr().out == "no leakage: 2 prompts against 2 training examples, none found\n"


def test_bad_input_is_named_all_at_once(files, capsys):
    write_lines(files / "bad.jsonl", [{"response": "x"}])
    write_lines(files / "bad_prompts.jsonl", [{"id": "1"}])
    with pytest.raises(InputError) as error:
        verb([files / "bad.jsonl", files / "missing.jsonl"], str(files / "bad_prompts.jsonl"), as_json=True)
    assert [line.split(": ")[0].removeprefix(f"{files}/") for line in problems(error)] == [
        "bad_prompts.jsonl:1",
        "bad.jsonl:1",
        "missing.jsonl",
    ]
    assert capsys.readouterr().out == ""
