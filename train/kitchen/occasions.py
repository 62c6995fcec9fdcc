"""Guests, mishaps and hours: what someone may need a dish for, and which mains and dishes suit it.

A table and its lookup. It draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from train.kitchen.pantry import CREATURES, DAIRY, DISH_BY_NAME, NUTS, Dish, Group, Main, mains_for


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """What suits a guest or an hour.

    `phrases` complete "I need something …"; `dishes` suit it; `banned` are the words an answer must not hold; `groups`
    and (where given) `mains` restrict what goes in; `said` is how an answer names the hour.
    """

    phrases: tuple[str, ...]
    dishes: tuple[str, ...]
    banned: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ("vegetable", "meat", "fish")
    mains: tuple[str, ...] = ()
    said: str = ""


GUESTS: tuple[Occasion, ...] = (
    Occasion(
        phrases=("for a friend who eats no meat", "for a vegetarian", "for my aunt who will not eat animals"),
        dishes=("stew", "soup", "curry", "pie", "lasagne", "risotto"),
        banned=CREATURES,
        groups=("vegetable",),
    ),
    Occasion(
        phrases=("for a boy who cannot drink milk", "for a guest who gets ill from milk", "for someone off dairy"),
        dishes=("stew", "soup", "stir-fry", "salad"),
        banned=DAIRY,
    ),
    Occasion(
        phrases=("for a girl who must not touch nuts", "for a guest whose lips swell from nuts", "for a nut allergy"),
        dishes=("stew", "curry", "stir-fry", "salad"),
        banned=NUTS,
    ),
    Occasion(
        phrases=("to warm us after a walk in the snow", "for a freezing day", "for people with cold hands"),
        dishes=("soup", "stew", "casserole", "curry"),
    ),
    Occasion(
        phrases=("for a day too hot for the oven", "that is cool on a burning hot day", "fresh in this heat"),
        dishes=("salad", "sandwich"),
    ),
    Occasion(
        phrases=("to eat with my fingers", "for a picnic without plates", "to hold in one hand on the train"),
        dishes=("sandwich", "burger"),
    ),
    Occasion(
        phrases=("I can eat without chewing", "for a man with no teeth", "soft after the dentist"),
        dishes=("soup",),
        groups=("vegetable",),
    ),
    Occasion(
        phrases=("before my bus comes in ten minutes", "for a cook in a great hurry", "that is ready in five minutes"),
        dishes=("omelette", "stir-fry", "salad"),
    ),
    Occasion(
        phrases=("from one pot for twenty guests", "for a whole football team", "big enough for a crowd"),
        dishes=("stew", "curry", "casserole"),
    ),
    Occasion(
        phrases=("sweet to end our dinner", "for a child with a sweet tooth", "to please people who love sugar"),
        dishes=("crumble", "tart", "cake"),
        groups=("fruit",),
    ),
    Occasion(
        phrases=("while my oven is broken", "on a single gas ring", "in a tent with a small stove"),
        dishes=("stew", "soup", "stir-fry", "omelette"),
    ),
)

MOMENTS: tuple[Occasion, ...] = (
    Occasion(
        phrases=("for breakfast", "to start the morning", "right after I wake up"),
        dishes=("porridge",),
        groups=("fruit",),
        said="breakfast",
    ),
    Occasion(
        phrases=("for my lunch box", "to eat at work at noon", "for lunch at school"),
        dishes=("sandwich", "salad"),
        said="lunch",
    ),
    Occasion(
        phrases=("for supper tonight", "for this evening", "for our evening meal"),
        dishes=("stew", "pie", "risotto", "casserole"),
        said="supper",
    ),
    Occasion(
        phrases=("I can cook today and eat tomorrow", "to make the night before", "that is even better the next day"),
        dishes=("stew", "curry", "lasagne", "casserole"),
        said="tomorrow",
    ),
    Occasion(
        phrases=("for a birthday afternoon", "for tea time with candles", "for my birthday"),
        dishes=("cake",),
        groups=("fruit",),
        said="a birthday",
    ),
    Occasion(
        phrases=("late at night", "after midnight", "when I come home at midnight"),
        dishes=("omelette", "sandwich"),
        said="midnight",
    ),
    Occasion(
        phrases=("for the spring", "from what grows in spring", "when April comes"),
        dishes=("soup", "risotto", "omelette"),
        mains=("asparagus", "pea", "spinach"),
        said="spring",
    ),
    Occasion(
        phrases=("for the summer", "from what ripens in summer", "when July comes"),
        dishes=("salad", "lasagne", "omelette", "sandwich"),
        mains=("tomato", "courgette", "pepper"),
        said="summer",
    ),
    Occasion(
        phrases=("for the autumn", "from what we pick in autumn", "when October comes"),
        dishes=("soup", "pie", "risotto", "stew"),
        mains=("pumpkin", "squash", "mushroom"),
        said="autumn",
    ),
    Occasion(
        phrases=("for the winter", "from what keeps through winter", "when January comes"),
        dishes=("soup", "stew", "pie", "casserole"),
        mains=("leek", "cabbage", "potato"),
        said="winter",
    ),
)


def suited(occasion: Occasion) -> tuple[tuple[Main, Dish], ...]:
    """Every main and dish that suit an occasion, in table order."""
    return tuple(
        (main, DISH_BY_NAME[name])
        for name in occasion.dishes
        for main in mains_for(DISH_BY_NAME[name])
        if (main.one in occasion.mains if occasion.mains else main.group in occasion.groups)
    )
