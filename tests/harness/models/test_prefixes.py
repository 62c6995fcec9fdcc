"""What rows share: every row in one family, nothing shared that is not the same, never a row's last token."""

from hypothesis import given
from hypothesis import strategies as st

from harness.models.prefixes import Family, alike, families, root

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=10)


def test_both_orders_of_a_comparison_share_the_request():
    system, request, tail = [1, 2, 3, 4], [5, 6, 7], [0]
    other = [*system, 9, 9, *tail]
    rows = [[*system, *request, 8, 8, *tail], other, [*system, *request, 7, 8, *tail]]
    assert root(rows) == 4
    assert families(rows, 4) == [Family(shared=7, members=(2, 0)), Family(shared=4, members=(1,))]


def test_what_two_requests_happen_to_begin_with_parts_no_family():
    # Taking the third row in would spare one token and cost six.
    rows = [[0, *range(1, 9), 10, 1], [0, *range(1, 9), 11, 1], [0, 1, 12, 1]]
    assert [family.members for family in families(rows, 1)] == [(0, 1), (2,)]


@given(ROWS)
def test_every_row_is_in_one_family_and_shares_what_is_the_same(rows):
    known = root(rows)
    found = families(rows, known)
    assert sorted(index for family in found for index in family.members) == list(range(len(rows)))
    for family in found:
        first = rows[family.members[0]]
        assert all(rows[index][: family.shared] == first[: family.shared] for index in family.members)
        assert all(known <= family.shared < len(rows[index]) for index in family.members)
    longest = [max(len(rows[index]) for index in family.members) for family in found]
    assert longest == sorted(longest, reverse=True)


@given(ROWS)
def test_the_root_is_the_longest_that_all_begin_with(rows):
    shared = root(rows)
    assert all(row[:shared] == rows[0][:shared] and len(row) > shared for row in rows)
    beyond = {tuple(row[: shared + 1]) for row in rows}
    assert len(beyond) > 1 or min(map(len, rows)) == shared + 1


@given(ROWS, st.data())
def test_no_tail_is_shared(rows, data):
    tails = [data.draw(st.integers(1, len(row))) for row in rows]
    known = root(rows, tails)
    assert all(known <= len(row) - tail for row, tail in zip(rows, tails, strict=True))
    for family in families(rows, known, tails):
        assert all(family.shared <= len(rows[index]) - tails[index] for index in family.members)


def test_alike_counts_from_the_beginning():
    assert (alike([1, 2, 3], [1, 2, 4]), alike([], [1]), alike([1], [1])) == (2, 0, 1)
