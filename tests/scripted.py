"""A model that answers from a script: no network, no patching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from judges.types import Reply, Request, any_reply


@dataclass
class ScriptedModel:
    """Answers with the script's replies in turn and remembers what it was asked."""

    script: list[Reply]
    spec: str = "openai/scripted"
    asked: list[Request] = field(default_factory=list)
    kept: list[tuple[Request, Reply]] = field(default_factory=list)

    async def ask(
        self, request: Request, *, usable: Callable[[Reply], bool] = any_reply, stored_as: Request | None = None
    ) -> Reply:
        self.asked.append(request)
        reply = self.script.pop(0)
        if usable(reply):
            self.kept.append((stored_as or request, reply))
        return reply
