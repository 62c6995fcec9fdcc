"""Keys and addresses: what is refused, and that no secret is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.models.access import access, access_from_env

SECRETS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=8, max_size=40)


@given(key=SECRETS, password=SECRETS, token=SECRETS)
def test_no_secret_is_shown(key: str, password: str, token: str) -> None:
    made = access(url=f"https://me:{password}@api.example.org:8443/v1/?token={token}", key=key)
    assert made.shown == "https://api.example.org:8443/v1"
    said = repr(made) + made.scrub(f"wrong key {key} at {made.url} for {password} with {token}")
    for secret in {key, password, token}:
        assert secret not in said.replace(made.shown, "")


def test_a_placeholder_of_a_key_garbles_no_message() -> None:
    assert access(url="http://localhost", key="x").scrub("an unexpected error") == "an unexpected error"


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://example.org", "http://", "http://host:port/", "http://[::1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="must be an http:// or https:// address"):
        access_from_env(
            spec="openai/m", prefix="LAB", default_url=None, environ={"LAB_API_KEY": "k", "LAB_BASE_URL": url}
        )


def test_a_refused_address_is_shown_without_its_password() -> None:
    with pytest.raises(InputError) as refused:
        access(url="ftp://me:p4ssw0rd@example.org", key="k")
    assert "p4ssw0rd" not in str(refused.value)


@pytest.mark.parametrize("key", ["", "   ", "\n"])
def test_an_empty_key_is_an_unset_one(key: str) -> None:
    with pytest.raises(InputError, match="OPENAI_API_KEY is not set"):
        access_from_env(
            spec="openai/m", prefix="OPENAI", default_url="https://api.example.org", environ={"OPENAI_API_KEY": key}
        )


def test_a_key_no_header_can_carry_is_refused_unseen() -> None:
    with pytest.raises(InputError) as refused:
        access_from_env(spec="s", prefix="P", default_url="http://h", environ={"P_API_KEY": "sk-ab\ncd-schlüssel"})
    assert "sk-ab" not in str(refused.value)


def test_spaces_around_a_key_are_not_part_of_it() -> None:
    environ = {"P_API_KEY": " sk-12345678 \n", "P_BASE_URL": " http://h/v1/ "}
    found = access_from_env(spec="s", prefix="P", default_url=None, environ=environ)
    assert (found.key, found.shown) == ("sk-12345678", "http://h/v1")


def test_both_variables_of_a_named_endpoint_are_reported_together() -> None:
    with pytest.raises(InputError) as refused:
        access_from_env(spec="openai@LAB/m", prefix="LAB", default_url=None, environ={})
    assert [line.split()[4] for line in str(refused.value).splitlines()] == ["LAB_API_KEY", "LAB_BASE_URL"]
