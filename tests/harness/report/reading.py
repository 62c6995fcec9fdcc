"""A page as a reader's program meets it: its elements, its attributes, its visible text and its data."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "rect", "line", "circle"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    inside: list = field(default_factory=list)

    def all(self, tag=None, **attributes):
        """Every element below with this tag and these attributes (`kind` means class, which may be one of several)."""
        for child in self.inside:
            if isinstance(child, Element):
                if (tag is None or child.tag == tag) and child.has(**attributes):
                    yield child
                yield from child.all(tag, **attributes)

    def one(self, tag=None, **attributes):
        found = list(self.all(tag, **attributes))
        assert len(found) == 1, f"{len(found)} elements match {tag} {attributes}"
        return found[0]

    def has(self, kind=None, **attributes):
        return (kind is None or kind in (self.attributes.get("class") or "").split()) and all(
            self.attributes.get(name) == value for name, value in attributes.items()
        )

    @property
    def text(self):
        """Visible text, blanks as one."""
        return " ".join(self._text().split())

    def _text(self):
        if self.tag in ("script", "style"):
            return ""
        return "".join(child if isinstance(child, str) else child._text() for child in self.inside)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        for i in range(len(self.open) - 1, 0, -1):
            if self.open[i].tag == tag:
                del self.open[i:]
                return

    def handle_data(self, data):
        self.open[-1].inside.append(data)


def read(page):
    """The root of a page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.root


def data_of(root):
    """What the page hands to its script."""
    return json.loads(root.one("script", id="data").inside[0])
