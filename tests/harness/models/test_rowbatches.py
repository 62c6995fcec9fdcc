"""How rows are put into batches: every row once, within the limits, and no plan that reads more than another."""

from hypothesis import given
from hypothesis import strategies as st

from harness.models.prefixes import root
from harness.models.rowbatches import Limits, cost, passes, planned

LIMITS = Limits(rows=8, tokens=64, held=96, each=4)


@st.composite
def asked(draw):
    """Rows with tails: contexts that may begin alike, each followed by one or two labels."""
    begin = draw(st.lists(st.integers(0, 2), max_size=6))
    rows, tails = [], []
    for _ in range(draw(st.integers(1, 12))):
        context = [*begin, *draw(st.lists(st.integers(0, 2), min_size=1, max_size=12))]
        for label in draw(st.lists(st.lists(st.integers(0, 2), max_size=3), min_size=1, max_size=2)):
            rows.append([*context, *label])
            tails.append(len(label) + 1)
    return rows, tails


@given(asked(), st.booleans())
def test_every_row_stands_in_one_batch_within_the_limits(case, sharing):
    rows, tails = case
    known = root(rows, tails)
    plan = planned(rows, tails, known, LIMITS, sharing=sharing)
    assert sorted(index for batch in plan for index, _, _ in batch) == list(range(len(rows)))
    for batch in plan:
        assert len(batch) <= LIMITS.rows
        assert len(batch) == 1 or len(batch) * max(len(rows[index]) for index, _, _ in batch) <= LIMITS.held


@given(asked(), st.booleans())
def test_a_row_s_passes_put_together_are_the_row_and_its_tail_is_read_last(case, sharing):
    rows, tails = case
    known = root(rows, tails)
    for batch in planned(rows, tails, known, LIMITS, sharing=sharing):
        found = passes(rows, tails, batch, known)
        for (index, _, _), parent, rest in zip(batch, found.parents, found.rests, strict=True):
            before = found.segments[parent] if found.segments else []
            assert rows[index][:known] + before + rest == rows[index]
            assert len(rest) >= tails[index]


@given(asked())
def test_sharing_never_reads_more_than_reading_every_row_whole(case):
    rows, tails = case
    known = root(rows, tails)
    read = [
        sum(cost(rows, tails, batch, known, LIMITS.each) for batch in planned(rows, tails, known, LIMITS, sharing=on))
        for on in (True, False)
    ]
    assert read[0] <= read[1]


def test_two_long_labels_of_a_context_read_it_once():
    rows = [[*range(place, place + 30), *label] for place in (0, 100) for label in ([1, 2, 3], [4, 5, 6])]
    plan = planned(rows, [4] * 4, 0, Limits(rows=8, tokens=500, held=500, each=4), sharing=True)
    (batch,) = plan
    found = passes(rows, [4] * 4, batch, 0)
    assert sorted(map(len, found.segments)) == [29, 29]
    assert [len(rest) for rest in found.rests] == [4] * 4


def test_what_two_rows_happen_to_begin_with_is_not_worth_a_pass():
    rows = [[1, 2, *range(10, 10 + length)] for length in (28, 4)] + [[3, 4, *range(50, 76)], [3, 4, 9, 9]]
    plan = planned(rows, [1] * 4, 0, Limits(rows=2, tokens=500, held=500, each=4), sharing=True)
    # By length: the long ones together and the short ones, though each begins as one of the others does.
    assert [sorted(index for index, _, _ in batch) for batch in plan] == [[0, 2], [1, 3]]


def test_a_row_beyond_the_stretch_stands_alone():
    rows = [[place] * length for place, length in enumerate((12, 11, 8, 7))]
    plan = planned(rows, [1] * 4, 0, Limits(rows=8, tokens=500, held=500, each=4, short=10), sharing=False)
    assert [[index for index, _, _ in batch] for batch in plan] == [[0], [1], [2, 3]]


def test_a_family_that_no_batch_holds_is_parted():
    rows = [[*range(20), place] for place in range(10)]
    plan = planned(rows, [1] * 10, 0, Limits(rows=4, tokens=500, held=500, each=0), sharing=True)
    assert max(map(len, plan)) <= 4
    assert all(passes(rows, [1] * 10, batch, 0).segments == [list(range(20))] for batch in plan if len(batch) > 1)
