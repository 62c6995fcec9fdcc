"""README's map names every file, and nothing in it waits to be filled in."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_map_names_every_file():
    mapped = README.partition("## The map")[2]
    for room in ("harness", "judges", "train", "prompts"):
        for path in (ROOT / room).rglob("*.*"):
            if path.suffix in (".py", ".md", ".yaml", ".js", ".css", ".j2") and path.name != "__init__.py":
                assert f"`{path.name}`" in mapped or path.parent.name in ("recipes",), path


def test_every_suite_stands_in_its_table_with_its_count():
    for path in (ROOT / "suites").glob("*.yaml"):
        assert f"| `{path.stem}` | {counted(path)} |" in README, path


def counted(path: Path) -> str:
    """What a suite's row counts: prompts, a matrix's cells, or that the items are the user's own."""
    from harness import suite as suites
    from harness.matrix.suite import load

    kind = suites.kind_of(path)
    if kind == "matrix":
        return f"{len(load(path).cells())} cells"
    return "your file" if kind == "classify" else str(len(suites.load(path).prompts))


def test_no_placeholder_is_left():
    assert not re.findall(r"^[A-Z]{3,}$", README, re.MULTILINE)
