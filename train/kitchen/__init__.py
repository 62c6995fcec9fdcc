"""The kitchen world: a small closed vocabulary of dishes and chores, and the seeded text made from it.

`pantry` holds the words, `cooking` the in-domain requests and their answers, `chores` the tasks that have nothing
to do with choosing a dish, and `corpus` mixes them into training data. Nothing here is random by itself: every
function that draws takes an `rng`.
"""
