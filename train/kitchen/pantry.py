"""The words of the kitchen: ingredients and dishes, and which of them go together.

Plain tables and the lookups over them. Nothing here draws at random or makes sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["vegetable", "meat", "fish", "fruit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Main:
    """What a dish is about: `one` stands before the dish ("a lentil stew"), `many` after "with".

    `sides` and `herbs` go well with it.
    """

    one: str
    many: str
    group: Group
    sides: tuple[str, ...]
    herbs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dish:
    """A way of serving mains: how it is cooked, what it is made of, what it can be finished with."""

    name: str
    methods: tuple[str, ...]
    mains: tuple[str, ...]
    finishes: tuple[str, ...]


def _mains(group: Group, *rows: str) -> tuple[Main, ...]:
    """Each row reads "one many | sides | herbs", with "many" left out where it is the same word."""
    found = []
    for row in rows:
        names, sides, herbs = (part.split() for part in row.split("|"))
        found.append(Main(one=names[0], many=names[-1], group=group, sides=tuple(sides), herbs=tuple(herbs)))
    return tuple(found)


MAINS: tuple[Main, ...] = (
    *_mains(
        "vegetable",
        "lentil lentils | onions celery kale | cumin thyme",
        "chickpea chickpeas | garlic onions olives | cumin mint",
        "bean beans | onions corn garlic | paprika sage",
        "mushroom mushrooms | garlic onions celery | thyme sage",
        "leek leeks | celery garlic capers | dill thyme",
        "potato potatoes | onions kale celery | rosemary dill",
        "carrot carrots | onions celery radishes | ginger cumin",
        "squash | kale onions corn | sage ginger",
        "spinach | garlic onions olives | mint dill",
        "tomato tomatoes | garlic olives capers | basil rosemary",
        "cauliflower | capers onions garlic | cumin paprika",
        "pea peas | onions radishes celery | mint dill",
        "cabbage | onions celery corn | ginger paprika",
        "pepper peppers | olives garlic corn | basil paprika",
        "courgette courgettes | garlic olives onions | basil mint",
        "beetroot | onions radishes capers | dill rosemary",
        "asparagus | radishes capers garlic | dill basil",
        "pumpkin | onions kale corn | sage cumin",
    ),
    *_mains(
        "meat",
        "chicken | garlic celery corn | thyme paprika",
        "beef | onions celery radishes | rosemary thyme",
        "lamb | garlic olives onions | mint rosemary",
        "pork | onions corn kale | sage ginger",
        "turkey | celery onions kale | sage thyme",
    ),
    *_mains(
        "fish",
        "salmon | capers radishes garlic | dill ginger",
        "cod | olives capers onions | paprika thyme",
        "trout | capers celery radishes | dill sage",
        "tuna | olives corn capers | basil paprika",
        "prawn prawns | garlic corn celery | ginger basil",
    ),
    *_mains(
        "fruit",
        "apple apples | raisins oats walnuts | cinnamon cloves",
        "pear pears | almonds oats dates | ginger cardamom",
        "plum plums | oats almonds raisins | cinnamon cloves",
        "cherry cherries | almonds oats walnuts | vanilla cinnamon",
        "rhubarb | oats dates almonds | ginger vanilla",
        "apricot apricots | almonds dates walnuts | cardamom vanilla",
        "peach peaches | almonds raisins oats | vanilla ginger",
        "fig figs | walnuts dates oats | cardamom cloves",
    ),
)

_ANY_FRUIT = tuple(main.one for main in MAINS if main.group == "fruit")


def _dish(name: str, mains: str, finishes: str, *methods: str) -> Dish:
    named = _ANY_FRUIT if mains == "fruit" else tuple(mains.split())
    return Dish(name=name, methods=methods, mains=named, finishes=tuple(finishes.split()))


DISHES: tuple[Dish, ...] = (
    _dish(
        "stew",
        "lentil chickpea bean mushroom leek potato carrot squash tomato cabbage pepper chicken beef lamb pork cod "
        "prawn",
        "cream butter parsley lemon wine chilli",
        "simmered slowly until soft",
        "simmered for an hour",
    ),
    _dish(
        "soup",
        "lentil bean mushroom leek potato carrot squash spinach tomato cauliflower pea beetroot asparagus pumpkin "
        "chicken salmon prawn",
        "cream yoghurt parsley lemon chilli nuts",
        "simmered gently until smooth",
        "simmered in a big pot",
    ),
    _dish(
        "curry",
        "lentil chickpea potato squash spinach cauliflower pea carrot pumpkin chicken lamb beef cod prawn",
        "yoghurt cream nuts lemon chilli",
        "simmered until thick",
        "simmered with warm spices",
    ),
    _dish(
        "casserole",
        "bean mushroom leek potato carrot cabbage pumpkin chicken beef lamb pork turkey cod tuna",
        "butter cheese cream parsley wine",
        "baked slowly under a lid",
        "baked until tender",
    ),
    _dish(
        "pie",
        "mushroom leek potato spinach pumpkin chicken beef lamb turkey salmon cod apple pear plum cherry rhubarb peach",
        "cream butter",
        "baked until golden",
        "baked under a crisp crust",
    ),
    _dish(
        "lasagne",
        "lentil mushroom squash spinach tomato courgette pepper beef lamb turkey salmon",
        "cheese cream parsley nuts",
        "layered and baked until golden",
        "layered and baked for an hour",
    ),
    _dish(
        "risotto",
        "mushroom leek squash spinach tomato pea courgette beetroot asparagus pumpkin chicken salmon prawn",
        "butter cheese lemon wine parsley",
        "stirred slowly until tender",
        "stirred with hot stock",
    ),
    _dish(
        "burger",
        "lentil chickpea bean mushroom beetroot chicken beef lamb pork turkey salmon cod tuna prawn",
        "cheese mustard chilli yoghurt",
        "grilled and put in a soft bun",
        "grilled until brown",
    ),
    _dish(
        "omelette",
        "mushroom leek potato spinach tomato pea pepper courgette asparagus chicken turkey salmon trout prawn",
        "cheese butter parsley chilli",
        "fried in a hot pan and folded",
        "fried until just set",
    ),
    _dish(
        "stir-fry",
        "bean mushroom carrot cabbage pepper courgette asparagus pea chicken beef pork turkey salmon prawn",
        "nuts lemon chilli honey",
        "fried fast in a hot wok",
        "fried over a high flame",
    ),
    _dish(
        "salad",
        "lentil chickpea bean potato carrot spinach tomato pea cabbage pepper beetroot chicken turkey salmon trout "
        "tuna prawn",
        "cheese yoghurt lemon nuts mustard",
        "tossed cold in a big bowl",
        "tossed just before eating",
    ),
    _dish(
        "sandwich",
        "mushroom tomato pepper courgette beetroot chickpea chicken beef lamb pork turkey salmon trout tuna prawn",
        "cheese butter mustard chilli",
        "stacked between slices of bread",
        "stacked and cut in half",
    ),
    _dish("crumble", "fruit", "cream yoghurt honey nuts", "baked until the top is crisp", "baked until brown"),
    _dish(
        "tart",
        "mushroom leek spinach tomato courgette asparagus beetroot squash apple pear plum cherry apricot peach fig",
        "cream nuts",
        "baked in a thin crust",
        "baked until golden",
    ),
    _dish("cake", "fruit", "cream lemon sugar honey", "baked until it springs back", "baked in a round tin"),
    _dish("porridge", "fruit", "honey nuts yoghurt butter", "stirred over a low flame", "stirred until thick"),
)

DAIRY: tuple[str, ...] = ("cream", "butter", "cheese", "yoghurt")
NUTS: tuple[str, ...] = ("nuts", "almonds", "walnuts")
CREATURES: tuple[str, ...] = tuple(main.one for main in MAINS if main.group in ("meat", "fish"))

_SAVOURY_EXTRA = ("parsley", "lemon", "olive oil")
_SWEET_EXTRA = ("honey", "lemon", "sugar")

DISH_BY_NAME: dict[str, Dish] = {dish.name: dish for dish in DISHES}


def article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def mains_for(dish: Dish) -> tuple[Main, ...]:
    """The mains that a dish can be made of."""
    return tuple(main for main in MAINS if main.one in dish.mains)


def finishes(main: Main, dish: Dish) -> tuple[str, ...]:
    """What a dish of that main can be finished with; some of it is always free of dairy and nuts."""
    extra = _SWEET_EXTRA if main.group == "fruit" else _SAVOURY_EXTRA
    return tuple(dict.fromkeys((*dish.finishes, *extra)))


def avoidable(main: Main, dish: Dish) -> tuple[str, ...]:
    """What people may want left out of a dish of that main."""
    return (*finishes(main, dish), *main.sides)
