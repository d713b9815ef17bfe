"""What crosses the proxy, header by header."""

from __future__ import annotations

import pytest

from sessions.stream.proxy_headers import own_location, to_browser, to_session

SECRET = frozenset({"ss-stream", "portal"})


def sent(*headers: tuple[str, str]) -> dict[str, str]:
    return dict(
        to_session(
            headers,
            host="s.localhost:8000",
            scheme="http",
            client="10.0.0.9",
            secret_cookies=SECRET,
        )
    )


def received(*headers: tuple[str, str]) -> list[tuple[str, str]]:
    return to_browser(
        headers,
        origin="http://s.localhost:8000",
        backends=frozenset({"10.1.1.1:8080"}),
        secret_cookies=SECRET,
    )


def test_our_cookies_stay_and_the_applications_pass_as_written() -> None:
    cookies = 'ss-stream=a; theme="dark mode"; portal=b; empty=; ss-stream=c'
    assert sent(("cookie", cookies))["Cookie"] == 'theme="dark mode"; empty='
    assert "Cookie" not in sent(("cookie", "portal=b"))


def test_what_a_client_says_about_proxies_is_replaced() -> None:
    found = sent(
        ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-user", "root"), ("forwarded", "for=1.2.3.4")
    )
    assert found == {
        "Host": "s.localhost:8000",
        "X-Forwarded-For": "10.0.0.9",
        "X-Forwarded-Host": "s.localhost:8000",
        "X-Forwarded-Port": "8000",
        "X-Forwarded-Proto": "http",
    }


def test_hop_by_hop_headers_and_those_that_connection_names_stay() -> None:
    found = sent(("connection", "keep-alive, X-Hop"), ("x-hop", "1"), ("te", "x"), ("x-end", "2"))
    assert "x-hop" not in found
    assert "te" not in found
    assert found["x-end"] == "2"


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (f"Bearer {'0a' * 32}", False),
        (f"token {'0a' * 32}", False),
        ("Basic YTpi", True),
        ("Bearer eyJhbGciOi.J9.x", True),
        ("token 5f0e", True),
    ],
)
def test_the_portals_tokens_stay_and_the_applications_pass(value: str, passes: bool) -> None:
    assert ("authorization" in sent(("authorization", value))) is passes


def test_cookies_of_the_application_become_host_only_and_cannot_take_our_names() -> None:
    found = received(
        ("Set-Cookie", "a=1; Domain=localhost; Path=/; HttpOnly"),
        ("Set-Cookie", "b=2;domain=.localhost"),
        ("Set-Cookie", "ss-stream=evil; Path=/"),
    )
    assert [v for k, v in found if k == "Set-Cookie"] == ["a=1; Path=/; HttpOnly", "b=2"]


def test_only_the_own_origin_may_frame_the_application() -> None:
    found = received(
        ("X-Frame-Options", "DENY"),
        ("Content-Security-Policy", "default-src 'self'; frame-ancestors *; img-src *"),
        ("Content-Security-Policy", "frame-ancestors 'none'"),
    )
    assert found == [
        ("Content-Security-Policy", "default-src 'self'; img-src *"),
        ("Content-Security-Policy", "frame-ancestors 'self'"),
    ]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://10.1.1.1:8080/a?b#c", "http://s.localhost:8000/a?b#c"),
        ("https://S.localhost:8000/a", "http://s.localhost:8000/a"),
        ("http://10.1.1.1:8080", "http://s.localhost:8000/"),
        ("http://10.1.1.1:8080?x", "http://s.localhost:8000/?x"),
        ("/a", "/a"),
        ("a/b", "a/b"),
        ("http://10.1.1.1:8080.evil/", "http://10.1.1.1:8080.evil/"),
        ("http://10.1.1.1:8080@evil/", "http://10.1.1.1:8080@evil/"),
        ("https://example.org/sign-in", "https://example.org/sign-in"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_redirects_to_the_backend_lead_to_the_own_origin(location: str, expected: str) -> None:
    backends = frozenset({"10.1.1.1:8080"})
    assert own_location(location, origin="http://s.localhost:8000", backends=backends) == expected
