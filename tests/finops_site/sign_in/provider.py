"""An identity provider on this machine, as Keycloak or Entra ID is one: discovery, page, tokens, keys and user info.

Whom it signs in, and what it gets wrong, is what a test sets on it.
"""

import json
import threading
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "finops", "shared with the provider"


class Provider:
    """Runs until `close`; `claims` are those of whoever signs in, `wrong` changes those of her ID token."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.wrong: dict[str, Any] = {}
        self.info: dict[str, Any] = {}
        self.signs_with: str | None = None
        self.requests: list[str] = []
        self.new_key("first")
        self.codes: dict[str, dict[str, str]] = {}
        handler = type("Handler", (Answers,), {"provider": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def new_key(self, kid: str) -> None:
        """Signs with another key from now on, and publishes no other."""
        self.kid, self.key = kid, rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        claims = {**usual, **self.claims, **self.wrong}
        if self.signs_with:
            return jwt.encode(claims, self.signs_with, algorithm="HS256", headers={"kid": self.kid})
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})


class Answers(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.provider.requests.append(parts.path)
        if parts.path == "/authorize":
            query = dict(parse_qsl(parts.query))
            code = f"code-{len(self.provider.codes)}"
            self.provider.codes[code] = query
            self.send_response(302)
            self.send_header(
                "Location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            )
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answers = {
            "/.well-known/openid-configuration": self.provider.discovery,
            "/keys": self.provider.keys,
            "/userinfo": lambda: {"sub": self.provider.claims["sub"], **self.provider.info},
        }
        self.reply(answers[parts.path]())

    def do_POST(self) -> None:
        self.provider.requests.append(self.path)
        sent = {name: values[0] for name, values in parse_qs(self.read_body()).items()}
        query = self.provider.codes.pop(sent.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(sent.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        is_ours = (sent.get("client_id"), sent.get("client_secret")) == (CLIENT, SECRET)
        if not (
            query and is_ours and query["code_challenge"] == challenge and query["redirect_uri"] == sent["redirect_uri"]
        ):
            self.reply({"error": "invalid_grant"}, 400)
            return
        tokens = {"access_token": "opaque", "token_type": "Bearer", "id_token": self.provider.id_token(query["nonce"])}
        self.reply(tokens)

    def read_body(self) -> str:
        return self.rfile.read(int(self.headers["Content-Length"])).decode()

    def reply(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
