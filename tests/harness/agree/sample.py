"""Judgments written by hand: an outcome a letter, a string a judge, a place a prompt."""

WINNER = {"w": "candidate", "l": "baseline", "t": "tie", "?": None}


def judgments(by_judge, *, category=None, cluster=None, prefix="p"):
    """ "wlt?." is won, lost, tied, unread and not judged; both orders say the same."""
    return [
        {
            "id": f"{prefix}{place}",
            "judge": judge,
            "order": order,
            "winner": WINNER[letter],
            "status": "ok" if WINNER[letter] else "invalid_parse",
            **({"category": category(place)} if category else {}),
            **({"cluster": cluster(place)} if cluster else {}),
        }
        for judge, letters in by_judge.items()
        for place, letter in enumerate(letters)
        if letter != "."
        for order in ("candidate_first", "baseline_first")
    ]


def in_order(judge, pairs, *, prefix="p"):
    """A judge's verdicts by order: "wl" names the candidate where it is shown first, the baseline where that is."""
    return [
        {
            "id": f"{prefix}{place}",
            "judge": judge,
            "order": order,
            "winner": WINNER[letter],
            "status": "ok" if WINNER[letter] else "invalid_parse",
        }
        for place, pair in enumerate(pairs)
        for order, letter in zip(("candidate_first", "baseline_first"), pair, strict=True)
        if letter != "."
    ]
