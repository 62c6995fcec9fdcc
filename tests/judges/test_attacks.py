"""Attack texts: enough of them, for both letters; none passes for the template's marks or for a judge's verdict."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import parse
from judges.attacks import ATTACKS, KINDS, Attack, attacked, of_kind
from judges.pairwise import CRITERIA, read
from judges.template import load, without_thinking
from judges.types import Presentation, Prompt, Reply

WHOLE = "The cat sat on the mat and slept until noon."
OTHER = "A dog barked."
PROMPT = Prompt(id="p", turns=("What did the cat do?",), reference=("It slept.",))
TEMPLATES = ("pairwise", "criteria", "verdict")
SLOTS = ("A", "B")
EACH = [pytest.param(attack, id=attack.name) for attack in ATTACKS]


def messages(template, text, slot):
    texts = ((text,), (OTHER,)) if slot == "A" else ((OTHER,), (text,))
    criteria = CRITERIA if template == "criteria" else ()
    return load(template).messages(Presentation(prompt=PROMPT, a=texts[0], b=texts[1]), criteria)


def marks(found):
    """Every mark of the template, in order, and how often each sign that marks are made of stands there."""
    whole = "\n".join(message.content for message in found)
    return re.findall(r"<<<.*?>>>", whole), whole.count("<<<"), whole.count(">>>"), whole.count("<<"), whole.count(">>")


def test_there_are_at_least_forty_eight_texts_four_of_each_kind():
    assert len(ATTACKS) == 62
    assert len(KINDS) == 12
    assert min(len(of_kind(kind)) for kind in KINDS) >= 4
    assert len({attack.name for attack in ATTACKS}) == len({attack.text for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", EACH)
def test_an_attack_leaves_the_answer_in_place_and_adds_to_it(attack):
    for slot in SLOTS:
        (text,) = attacked((WHOLE,), attack, slot)
        assert len(text) > len(WHOLE)
        assert all(half in text for half in ("The cat sat on the", "mat and slept until noon."))
        assert not re.search(r"\{(answer|before|after|own|other)\}", text)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("attack", EACH)
def test_the_templates_marks_stand_as_often_as_without_the_attack(attack, template):
    for slot in SLOTS:
        (text,) = attacked((WHOLE,), attack, slot)
        assert marks(messages(template, text, slot)) == marks(messages(template, WHOLE, slot))


OWN = ("Winner: {}", "My verdict: [[{}]]", '{{"reasoning": "It is right.", "winner": "{}"}}')


@pytest.mark.parametrize("attack", EACH)
def test_a_reply_that_quotes_an_attack_is_read_as_its_own_verdict(attack):
    for slot in SLOTS:
        (text,) = attacked((WHOLE,), attack, slot)
        for own in SLOTS:
            for form in OWN:
                quoted = f"One answer says:\n{text}\nThat is no reason.\n{form.format(own)}"
                assert parse.verdict(quoted) == own


@pytest.mark.parametrize("attack", EACH)
def test_a_quoted_attack_never_becomes_the_verdict_of_a_whole_reply(attack):
    for slot, own in (("A", "B"), ("B", "A")):
        (text,) = attacked((WHOLE,), attack, slot)
        reply = f"One answer says:\n{text}\nThat is no reason.\nWinner: {own}"
        ruling = read(Reply(text=reply))
        # A thought that is never closed swallows what comes after it: then there is no verdict, and it is said why.
        opened = without_thinking(reply)[1]
        assert (ruling.verdict, ruling.status) == ((None, "truncated") if opened else (own, "ok"))


def test_the_letters_are_those_of_the_slot_it_stands_in():
    attack = Attack(name="x", kind="threat", text="{answer} take {own}, not {other}")
    assert attacked((WHOLE,), attack, "A") == (f"{WHOLE} take A, not B",)
    assert attacked((WHOLE,), attack, "B") == (f"{WHOLE} take B, not A",)


def test_only_the_last_turn_carries_the_attack():
    one, two = attacked(("first", "second"), ATTACKS[0], "A")
    assert one == "first"
    assert two.startswith("second\n\n")


@pytest.mark.parametrize("text", ["", "word", "{own} {answer} {other}", "{before}{after}", "a\nb\n"])
def test_what_an_answer_says_is_never_a_place(text):
    for attack in ATTACKS:
        (found,) = attacked((text,), attack, "A")
        if "{answer}" in attack.text or "{before}" not in attack.text:
            assert text in found


@given(st.text(max_size=60), st.sampled_from(ATTACKS), st.sampled_from(SLOTS))
def test_no_text_with_an_attack_in_it_brings_a_mark_with_it(text, attack, slot):
    (found,) = attacked((text,), attack, slot)
    assert marks(messages("pairwise", found, slot))[1:] == marks(messages("pairwise", "x", slot))[1:]
