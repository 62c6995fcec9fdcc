"""What both APIs cache, what they do not, and that no secret gets into it: the real SDKs against a loopback server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import CallFailed
from harness.models.cache import ReplyCache
from harness.models.meter import Meter, Price
from judges.types import Request
from tests.harness.models.asking import KEY, PROVIDERS, SCHEMA, ask, model, request
from tests.loopback import Fault, Loopback, policy

pytestmark = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ReplyCache]:
    with contextlib.closing(ReplyCache(tmp_path / "cache")) as opened:
        yield opened


def test_an_answer_is_cached_and_costs_nothing_again(provider: str, cache: ReplyCache) -> None:
    meter = Meter()
    with Loopback(policy=policy.echo) as server:
        asked = model(provider, server.url, cache=cache, meter=meter, price=Price(input_usd=1.0, output_usd=10.0))
        first, again = ask(asked, request("Hello"), request("Hello"))
        assert len(server.requests) == 1
    assert (first.cached, again.cached, again.text) == (False, True, first.text)
    assert (meter.requests, meter.hits) == (1, 1)
    assert meter.cost_usd == pytest.approx((meter.input_tokens + 10 * meter.output_tokens) / 1e6)


def test_an_unusable_answer_is_not_cached(provider: str, cache: ReplyCache) -> None:
    with Loopback() as server:
        ask(model(provider, server.url, cache=cache), request(), request(), usable=lambda reply: False)
        assert len(server.requests) == 2


def test_a_failure_is_not_cached(provider: str, cache: ReplyCache) -> None:
    with Loopback(faults=[Fault(kind="server_error", at=range(6))]) as server:
        asked = model(provider, server.url, cache=cache)
        with pytest.raises(CallFailed):
            ask(asked, request())
        assert ask(asked, request())[0].cached is False


def test_a_second_attempt_answers_the_first_question(provider: str, cache: ReplyCache) -> None:
    question, roomier = request(max_tokens=100), request(max_tokens=400)
    with Loopback() as server:
        asked = model(provider, server.url, cache=cache)
        ask(asked, roomier, stored_as=question)
        assert ask(asked, question)[0].cached
        assert not ask(asked, roomier)[0].cached


@pytest.mark.parametrize("change", ["text", "repeat", "temperature", "schema"])
def test_another_question_is_asked_anew(provider: str, change: str, cache: ReplyCache) -> None:
    others: dict[str, Request] = {
        "text": request("Other?"),
        "repeat": request(repeat=1),
        "temperature": request(temperature=1.0),
        "schema": request(schema=SCHEMA),
    }
    with Loopback() as server:
        assert [r.cached for r in ask(model(provider, server.url, cache=cache), request(), others[change])] == [
            False
        ] * 2


def test_no_key_lies_in_the_cache_and_none_is_shown(provider: str, tmp_path: Path) -> None:
    with contextlib.closing(ReplyCache(tmp_path)) as cache, Loopback() as server:
        secret = server.url.replace("//", "//someone:p4ssw0rd@")
        asked = model(provider, secret, cache=cache)
        ask(asked, request())
        cache.flush()
        stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert KEY not in repr(asked) + repr(vars(asked)["_access"])
        assert "p4ssw0rd" not in repr(asked) + asked.url + repr(vars(asked)["_access"])
    assert KEY.encode() not in stored
    assert b"p4ssw0rd" not in stored


def test_a_name_and_password_in_the_address_do_not_change_the_question(provider: str, cache: ReplyCache) -> None:
    with Loopback() as server:
        ask(model(provider, server.url, cache=cache), request())
        other = model(provider, server.url.replace("//", "//someone:p4ssw0rd@"), cache=cache)
        assert ask(other, request())[0].cached


def test_a_wholly_cached_run_imports_no_sdk(provider: str, tmp_path: Path) -> None:
    with contextlib.closing(ReplyCache(tmp_path)) as cache, Loopback() as server:
        ask(model(provider, server.url, cache=cache), request())
        url = server.url
    script = f"""
        import sys
        from pathlib import Path
        from harness.models.cache import ReplyCache
        from tests.harness.models.asking import ask, model, request
        reply = ask(model({provider!r}, {url!r}, cache=ReplyCache(Path({str(tmp_path)!r}))), request())[0]
        print(reply.cached, *sorted({{"openai", "anthropic", "httpx2"}} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["True"]
