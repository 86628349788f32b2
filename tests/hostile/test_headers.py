"""Hostile headers at every kind of door: what stands around a request is no reason for an error of ours."""

import io

import pytest
from django.test import Client

from tests.hostile.sending import LONG, Attack, chance

pytestmark = pytest.mark.django_db
DOORS = [
    *("/", "/budgets/", "/lines/?_export=csv", "/admin/", "/admin/costs/source/", "/accounts/login/", "/healthz"),
    *(
        "/readyz",
        "/metrics",
        "/api/v1/budgets/",
        "/api/v1/costs/?format=csv",
        "/api/schema/",
        "/api/docs/",
        "/nowhere/",
    ),
    *("/scim/v2/Users", "/a/x/", "/static/finops/favicon.svg", "/static/../settings.py", "/budgets/add/", "/token/"),
    *("/.well-known/security.txt", "/search/?q=a", "//evil.example/", "/api/v1/me/token/"),
]
ODD = [
    "",
    "\0",
    "\xff\xfe",
    "é",
    "x" * 8000,
    ",",
    ";" * 500,
    "=",
    "-1",
    "9" * 400,
    "{}",
    "\u20ac".encode().decode("latin-1"),
]
HEADERS = {
    "HTTP_X_FORWARDED_FOR": ["strange", "[::1", "::ffff:1.2.3.4%x", "1.2.3.4:x", ",,,", "256.1.1.1"],
    "HTTP_X_FORWARDED_PROTO": ["https", "javascript", "https,http"],
    "HTTP_X_FORWARDED_HOST": ["evil.example", "a b", "[::1"],
    "HTTP_X_FORWARDED_PORT": ["²", "99999999", "-"],
    "HTTP_HOST": [
        "evil.example:x",
        "[::1",
        "a..b",
        "a_b",
        "..",
        "localhost:99999",
        "user@localhost",
        "xn--ß",
        "a" * 300,
    ],
    "HTTP_ACCEPT_LANGUAGE": ["de;q=x", "*", "de-" * 900, "fr;q=9e999", "zz-ZZ, en;q=NaN", "de_DE.UTF-8", "x" * 600],
    "HTTP_ACCEPT": ["text/csv;q=x", "/", "*/*;q=", "application/json; a=" + "b" * 900, "text/*, image", ";;;", "a/b/c"],
    "HTTP_ACCEPT_ENCODING": ["gzip;q=x", "br;q=0, *", "gzip, gzip;q=nan", "identity;q=0"],
    "CONTENT_TYPE": [
        "/",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 300,
        "text/plain; charset=\x00",
        "application/json; charset=utf-7",
        "application/json; charset=",
        "application/x-www-form-urlencoded; charset=hex",
        "multipart/form-data; boundary=ÿ",
        "application/scim+json",
        ";",
        "multipart/mixed; boundary=a",
        "text/xml",
    ],
    "HTTP_RANGE": [
        "bytes=5-1",
        "bytes=-",
        "bytes=99999999999999999999-",
        "lines=1-2",
        "bytes=0-0,1-1,2-2",
        "bytes=a-b",
    ],
    "HTTP_IF_NONE_MATCH": ['"', 'W/"', '"a" "b', "*", 'W/"' + "x" * 900],
    "HTTP_IF_MATCH": ["*", '"1"', '"', 'W/"x"', "[1]", '"99999999999999999999999"', '"NaN"'],
    "HTTP_IF_MODIFIED_SINCE": [
        "Mon, 32 Foo 2026",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "9" * 50,
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 9999 08:49:37 GMT",
        "Sun, 31 Feb 2026 08:49:37 GMT",
        "Sun, 06 Nov 1994 99:99:99 GMT",
    ],
    "HTTP_IF_UNMODIFIED_SINCE": ["never", "Sun, 06 Nov 0000 08:49:37 GMT"],
    "HTTP_IF_RANGE": ['"', "never"],
    "HTTP_COOKIE": [
        "sessionid=\x00",
        "sessionid=" + "x" * 5000,
        "csrftoken",
        "=;=;=",
        'messages="\\"; a',
        "a=b; " * 900,
        "messages=x:y:z",
        "csrftoken=ÿ",
        "sessionid=../../x",
        "django_language=\x00",
        "__Host-sessionid=x",
    ],
    "CONTENT_LENGTH": ["-1", "x", "", "9999999", "1e9", "٣"],
    "HTTP_TRANSFER_ENCODING": ["chunked", "gzip, chunked", "x"],
    "HTTP_REFERER": [
        "http://[::1",
        "javascript:alert(1)",
        "http://localhost:x/",
        "//",
        "https://\0",
        "http://testserver/budgets/?a=\xff",
    ],
    "HTTP_ORIGIN": ["null", "http://[", "https://evil.example:x", "file://"],
    "HTTP_AUTHORIZATION": [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Basic !!!",
        "Bearer \xff",
        "Token x",
        "Basic eDp5",
        "Bearer " + "x" * 5000,
    ],
    "HTTP_HX_REQUEST": ["true"],
    "HTTP_HX_CURRENT_URL": ["http://[::1", "//", "http://testserver/%FF", "javascript:x", "\0"],
    "HTTP_HX_CURRENT_URL_URI_AUTOENCODED": ["true"],
    "HTTP_HX_TARGET": ["list", "\0"],
    "HTTP_HX_TRIGGERING_EVENT": ["{", "[]"],
    "HTTP_X_REQUEST_ID": ["a b", "x" * 900, "\r\nX: y"],
    "HTTP_X_CSRFTOKEN": ["x", "\0" * 40, "é" * 40],
    "HTTP_X_HTTP_METHOD_OVERRIDE": ["DELETE", "\0"],
    "HTTP_IDEMPOTENCY_KEY": ["", "x" * 900, "\0"],
    "HTTP_USER_AGENT": ["() { :;}; echo", "\0", "x" * 6000],
    "HTTP_TRACEPARENT": ["00-x", "00-" + "0" * 32 + "-" + "0" * 16 + "-00"],
    "REMOTE_ADDR": ["", "unix:", "fe80::1%eth0", "x"],
    "SERVER_PORT": ["443", "x"],
    "QUERY_STRING": ["%", "%00", "a" * 900, "&" * 1100, "a=" + "b&a=" * 1100, "%FF=%FE", "\xff", ";;;=;"],
    "PATH_INFO": [
        "",
        "/%00",
        "/\xff\xfe",
        "/budgets/\0/",
        "/" + "a/" * 900,
        "/budgets//",
        "/..;/admin/",
        "/\u20ac".encode().decode("latin-1"),
    ],
}
CHECKED_WITH_A_FORM = ("HTTP_REFERER", "HTTP_ORIGIN", "HTTP_X_CSRFTOKEN", "HTTP_COOKIE")
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "BREW", "PROPFIND"]
BODIES = [
    b"",
    b"x",
    b"{}",
    b"a=1&b=2",
    b"\xff" * 40,
    b'--a\r\nContent-Disposition: form-data; name="x"\r\n\r\n',
    b"--xxx--",
]


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_is_answered_by_an_error_of_ours(header, people, client_of):
    failed = []
    for who in ("nobody", "ada", "fay", "lea"):
        dice = chance(header, who)
        attack = Attack(Client() if who == "nobody" else client_of(people[who]))
        attack.client.handler.enforce_csrf_checks = header in CHECKED_WITH_A_FORM
        values = [*HEADERS[header], *ODD]
        some = [(dice.choice(values), dice.choice(DOORS)) for _ in range(2)]
        for value, door in [(value, door) for value in values for door in DOORS] if LONG else some:
            others = dice.sample([name for name in HEADERS if name != header], dice.randint(0, 2))
            changes = {name: dice.choice([*HEADERS[name], *ODD]) for name in others} | {header: value}
            method, body = dice.choice(METHODS if dice.random() < 0.5 else ["GET", "POST"]), dice.choice(BODIES)
            # As the web server hands it over: a body that may be shorter or longer than was said.
            attack.send(method, door, body, **{**changes, "wsgi.input": io.BytesIO(body)})
        failed += [f"{who}: {line}" for line in attack.failed]
    assert failed == []
