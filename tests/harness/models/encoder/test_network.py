"""Heads on an encoder: how many, how deep, how wide; and one score an option."""

import pytest

pytest.importorskip("torch")

import torch

from harness.models.encoder.folder import based
from harness.models.encoder.form import Form, HeadForm
from harness.models.encoder.network import Head
from harness.models.encoder.rows import batches, collate, encode, parts_of
from tests import encoders


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return encoders.base(tmp_path_factory.mktemp("bert"))


def logits(model, tokenizer, items, **more):
    rows = encode(tokenizer, items, 32).rows
    with torch.no_grad():
        return model.eval()(**collate(rows, tokenizer.pad_token_id), **more)


@pytest.mark.parametrize(("depth", "width", "shapes"), [(1, None, [(3, 8)]), (3, 5, [(5, 8), (5, 5), (3, 5)])])
def test_a_head_has_its_depth_width_and_dropout(depth, width, shapes):
    head = Head(8, 3, depth=depth, width=width, dropout=0.25)
    assert [tuple(part.weight.shape) for part in head if isinstance(part, torch.nn.Linear)] == shapes
    assert [part.p for part in head if isinstance(part, torch.nn.Dropout)] == [0.25] * depth
    assert sum(isinstance(part, torch.nn.GELU) for part in head) == depth - 1
    assert isinstance(head[-1], torch.nn.Linear)


def test_several_heads_read_one_encoder(bert):
    model, tokenizer, _ = based(bert, encoders.form())
    found = logits(model, tokenizer, encoders.texts(5))
    assert [tuple(each.shape) for each in found] == [(5, 2), (5, 3)]


def test_a_text_is_read_alike_alone_and_in_any_batch(bert):
    for pooling in ("cls", "mean", "last4_mean", "attention"):
        model, tokenizer, _ = based(bert, encoders.form(pooling=pooling))
        items = encoders.texts(6)
        together = logits(model, tokenizer, items)
        alone = [logits(model, tokenizer, [item]) for item in items]
        for head in range(2):
            torch.testing.assert_close(together[head], torch.cat([each[head] for each in alone]), atol=1e-6, rtol=1e-5)


def test_every_option_has_a_score_that_does_not_see_the_others(bert):
    form = Form(heads=(HeadForm(name="answer", labels=("A", "B", "C")),), choices=True, max_length=32)
    model, tokenizer, _ = based(bert, form)
    items = encoders.questions(4)
    (found,) = logits(model, tokenizer, items)
    assert found.shape == (4, 3)
    turned = [encoders.Read(texts=item.texts, options=item.options[::-1]) for item in items]
    torch.testing.assert_close(logits(model, tokenizer, turned)[0], found.flip(1), atol=1e-6, rtol=1e-5)


def test_a_pair_is_read_with_its_segments(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    row = encode(tokenizer, [encoders.Read(texts=("soup hot", "rice"))], 32).rows[0]
    assert (row.ids, row.types) == (([1, 4, 10, 2, 6, 2],), ([0, 0, 0, 0, 1, 1],))


def test_items_that_lose_text_are_counted_once_and_keep_their_marks(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    long, short = encoders.Read(texts=("soup " * 40,)), encoders.Read(texts=("soup",))
    found = encode(tokenizer, [long, short], 10)
    assert found.truncated == 1
    assert [len(row.ids[0]) for row in found.rows] == [10, 3]
    assert found.rows[0].ids[0][-1] == 2
    options = encoders.Read(texts=("soup",), options=("rice " * 40, "bread " * 40))
    assert encode(tokenizer, [options], 10).truncated == 1


def test_batches_hold_every_row_once_and_keep_within_their_tokens(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    rows = encode(tokenizer, [*encoders.texts(40), *encoders.questions(11)][:40], 32).rows
    found = list(batches(rows, 60, 7))
    assert sorted(place for batch in found for place in batch) == list(range(40))
    for batch in found:
        assert len(batch) <= 7
        assert len(batch) * max(rows[place].length for place in batch) <= 60


def test_items_of_different_kinds_are_refused(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    with pytest.raises(ValueError, match="all items alike"):
        encode(tokenizer, [encoders.Read(texts=("a",)), encoders.Read(texts=("a", "b"))], 32)


def test_the_segments_of_a_pair_and_of_options_reach_the_encoder(bert):
    choice = Form(heads=(HeadForm(name="answer", labels=("A", "B")),), choices=True, max_length=32)
    pair = encoders.Read(texts=("soup hot", "rice"))
    question = encoders.Read(texts=("soup hot",), options=("rice", "bread"))
    for form, item in ((encoders.form(), pair), (choice, question)):
        model, tokenizer, _ = based(bert, form)
        batch = collate(encode(tokenizer, [item], 32).rows, tokenizer.pad_token_id)
        none = {**batch, "token_type_ids": torch.zeros_like(batch["token_type_ids"])}
        with torch.no_grad():
            told, without = (model.eval()(**given)[0] for given in (batch, none))
        assert (told - without).abs().max() > 1e-6


def test_the_embeddings_are_none_of_the_last_layers(bert):
    model, tokenizer, _ = based(bert, encoders.form(pooling="last4_mean"))
    batch = collate(encode(tokenizer, [encoders.Read(texts=("soup hot rice",))], 32).rows, tokenizer.pad_token_id)
    with torch.no_grad():
        model.eval()
        layers = model.encoder(**batch, output_hidden_states=True).hidden_states
        by_hand = model.heads[0]((layers[1] + layers[2])[0].mean(dim=0) / 2)
        torch.testing.assert_close(model(**batch)[0][0], by_hand, atol=1e-6, rtol=1e-5)


def test_a_pair_that_is_too_long_loses_of_its_longer_text_and_keeps_its_segments(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    for texts, ids in (
        (("soup " * 20, "rice " * 4), [1, *[4] * 5, 2, *[6] * 4, 2]),
        (("soup " * 4, "rice " * 20), [1, *[4] * 4, 2, *[6] * 5, 2]),
    ):
        found = encode(tokenizer, [encoders.Read(texts=("soup", "rice")), encoders.Read(texts=texts)], 12)
        row = found.rows[1]
        assert (found.truncated, row.ids[0]) == (1, ids)
        first = ids.index(2) + 1
        assert row.types[0] == [0] * first + [1] * (12 - first)


def test_a_text_as_long_as_is_read_is_not_cut(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    assert encode(tokenizer, [encoders.Read(texts=("soup " * 10,))], 12).truncated == 0
    assert encode(tokenizer, [encoders.Read(texts=("soup " * 11,))], 12).truncated == 1


def test_an_option_stands_beside_both_texts_of_its_question():
    item = encoders.Read(texts=("soup", "rice"), options=("hot", "cold"))
    assert parts_of(item) == (("soup rice", "hot"), ("soup rice", "cold"))


def test_what_is_cut_of_a_question_is_not_its_options(bert):
    _, tokenizer, _ = based(bert, encoders.form())
    item = encoders.Read(texts=("soup hot", "rice " * 40), options=("hot", "cold", "bread"))
    found = encode(tokenizer, [item], 12)
    assert len({tuple(ids) for ids in found.rows[0].ids}) == 3
    assert (found.truncated, found.alike) == (1, 0)
    same = encoders.Read(texts=("soup",), options=("rice " * 40 + "hot", "rice " * 40 + "cold"))
    assert encode(tokenizer, [same, item], 12).alike == 1
