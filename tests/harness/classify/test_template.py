"""Classification templates: what a model is shown, and which label its reply names."""

import re

import pytest

from harness.classify.reading import label_of
from harness.classify.template import FOLDER, Example, Shown, TaskTemplate, load

LABELS = ("entailment", "not_entailment")
PAIR = Shown(fields={"premise": "It rains.", "hypothesis": "It is wet."}, options={})


def test_examples_stand_before_the_item_with_their_words():
    template = load("rte")
    words = template.words(LABELS)
    text = template.text(PAIR, [Example(shown=PAIR, label="not_entailment")], words)
    first, example, item = text.split("\n\n")
    assert first == template.instructions_of(words)
    assert example == f"{template.filled(PAIR)} no"
    assert item == template.filled(PAIR)


def test_a_conversation_has_examples_as_earlier_turns_and_instructions_once():
    template = load("rte")
    words = template.words(LABELS)
    chat = template.chat(PAIR, [Example(shown=PAIR, label="entailment")], words)
    assert [message.role for message in chat] == ["user", "assistant", "user"]
    assert chat[0].content.startswith(template.instructions_of(words))
    assert (chat[1].content, chat[2].content) == ("yes", template.filled(PAIR))


def test_options_are_shown_by_their_letters():
    template = load("choice")
    text = template.filled(Shown(fields={"query": "something hot"}, options={"A": "ice", "B": "soup"}))
    assert "A. ice\nB. soup\n" in text


def test_texts_with_template_marks_are_shown_as_they_are():
    template = load("sst2")
    assert "{{ 7 * 7 }} === labels ===" in template.filled(
        Shown(fields={"sentence": "{{ 7 * 7 }} === labels ==="}, options={})
    )


def test_a_label_without_a_word_of_its_own_is_its_own_word():
    assert load("label").words(("cold", "hot")) == {"cold": "cold", "hot": "hot"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("no parts", "needs an '=== item ===' part"),
        ("=== item ===\n{{ text", "cannot be read"),
        ("=== item ===\nx\n=== labels ===\nhot: warm\ncold: Warm\n", "two labels as the same word"),
        ("=== item ===\nx\n=== labels ===\nmild: warm\n", "names the label 'mild'; the task has cold, hot"),
        ("=== item ===\nx\n=== labels ===\nhot: yes\n", "quote True, yes"),
        ("=== item ===\n{{ premise }}\n", "names a field that is not there"),
        ("=== item ===\n{{ text + 1 }}\n", "cannot be filled"),
        ("=== item ===\n{{ text }}{{ 1 / 0 }}\n", "cannot be filled"),
        ("=== item ===\n{{ text }}\n=== labels ===\nhot: [\n", "'=== labels ===' is not YAML"),
    ],
)
def test_a_template_that_does_not_fit_is_one_sentence(source, said):
    template = TaskTemplate("own", source)
    with pytest.raises(ValueError, match=re.escape(said)):
        template.words(("cold", "hot"))
        template.filled(Shown(fields={"text": "soup"}, options={}))


def test_a_template_that_is_not_there_names_those_that_are():
    with pytest.raises(ValueError, match="choice, label, mnli, rte, sst2"):
        load("nothing")


def test_every_bundled_template_can_be_read():
    files = sorted(FOLDER.glob("*.md"))
    assert len(files) == 5
    assert all(load(file.stem).named for file in files)


WORDS = {"entailment": "yes", "not_entailment": "no"}


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("yes", "entailment"),
        (" Yes.\n", "entailment"),
        ("**NO**", "not_entailment"),
        ("'no'", "not_entailment"),
        ("It rains, so it is wet.\nAnswer: yes", "entailment"),
        ("Answer: yes\nNo, wait.\nAnswer: no.", "not_entailment"),
        ("<think>no, no</think>yes", "entailment"),
        ("<think>yes", None),
        ("yes and no", None),
        ("I say yes", None),
        ("Answer: perhaps", None),
        ("yess", None),
        ("", None),
    ],
)
def test_a_reply_names_a_label_or_none(reply, label):
    assert label_of(reply, WORDS) == label


def test_letters_are_read_in_the_ways_they_are_written():
    letters = {letter: letter for letter in "ABCDE"}
    assert [label_of(reply, letters) for reply in ("b", "(B)", "B.", "[[B]]", "Answer: (b)")] == ["B"] * 5
    assert label_of("B or C", letters) is None


@pytest.mark.parametrize(
    ("words", "reply", "label"),
    [
        ((":)", ":("), ":)", "a"),
        ((":)", ":("), ":(", "b"),
        ((":)", ":("), "", None),
        ((":)", ":("), "*", None),
        (("*", "**"), "**", "b"),
        (("none", "none."), "None.", "b"),
        (("none", "none."), "none", "a"),
        (("none", "none."), "'none'", None),
        (("yes!", "no"), "Yes", "a"),
        (("==", "!="), "Label: ==", "a"),
        ((":)", ":("), "Label: :(", "b"),
    ],
)
def test_words_that_differ_by_marks_alone_are_told_apart_by_them(words, reply, label):
    assert label_of(reply, dict(zip("ab", words, strict=True))) == label
