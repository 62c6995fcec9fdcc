"""What is said of agreement figures that could be taken for more than they are."""

import numpy as np
import pytest

from harness.agree.words import paradox
from harness.stats.agreement import pair_agreement

NAMES = ("win", "loss", "tie")


def rows_of(table):
    """Two judges whose table of counts this is."""
    table = np.asarray(table)
    pairs = np.repeat(np.arange(table.size), table.ravel())
    return (pairs // table.shape[0]).astype(np.int8), (pairs % table.shape[0]).astype(np.int8)


def test_ninety_one_per_cent_agreement_with_a_low_kappa_is_said_to_be_what_it_is():
    # Chance: 0.93² + 0.07² = 0.8698; kappa = (0.90 − 0.8698) / 0.1302.
    found = pair_agreement(*rows_of([[88, 5, 0], [5, 2, 0], [0, 0, 0]]), 3)
    assert found.kappa == pytest.approx(0.0302 / 0.1302)
    assert paradox(found, NAMES) == (
        "90 % agreement, but both say 'win' on 93 % of prompts: by chance alone 87 % would agree; kappa 0.23"
    )
    assert paradox(pair_agreement(*rows_of([[45, 5], [5, 45]]), 2), NAMES) is None
    assert paradox(pair_agreement(*rows_of([[25, 25], [25, 25]]), 2), NAMES) is None
    uneven = pair_agreement(*rows_of([[2, 0], [8, 90]]), 2)
    assert "they say 'loss' on 98 % and 90 % of prompts" in (paradox(uneven, NAMES) or "")
    alike = pair_agreement(*rows_of([[30, 0], [0, 0]]), 2)
    assert paradox(alike, NAMES) == (
        "100 % agreement, but both say 'win' on every prompt: there is nothing to tell agreement from chance by"
    )
