"""Functions that want a token: made by PyJWT, forged by hand, with keys from files and URLs that change and fail."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest

from support import processes, python_packages

python_packages.take("jwt")
import jwt  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402

ECHO = """
export default (request) => Response.json(Object.fromEntries(request.headers));
"""
ISSUER, AUDIENCE = "https://issuer.example", "shop"
KEYS = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def base64url(data: bytes | dict) -> str:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(private, kid: str) -> dict:
    public = private.public_key()
    if isinstance(private, rsa.RSAPrivateKey):
        return {"kty": "RSA", "kid": kid, "n": number(public.public_numbers().n), "e": number(public.public_numbers().e)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return {"kty": "EC", "crv": "P-256", "kid": kid, "x": number(public.public_numbers().x, 32), "y": number(public.public_numbers().y, 32)}
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(raw)}


def claims(**more) -> dict:
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": int(time.time()) + 300, **more}


def sign(algorithm="EdDSA", kid: str | None = "", key=None, headers=None, **more) -> str:
    kid = algorithm if kid == "" else kid
    headers = {**({"kid": kid} if kid else {}), **(headers or {})}
    return jwt.encode(claims(**more), key or KEYS[algorithm], algorithm=algorithm, headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class Issuer:
    """Serves a key set at a URL of the loopback, and counts who asks."""

    def __init__(self):
        self.body, self.status, self.asked, self.hold = b"", 200, 0, threading.Event()
        self.hold.set()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += 1
                issuer.hold.wait(20)
                self.send_response(issuer.status)
                if issuer.status == 302:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(issuer.body)))
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    def give(self, *keys: dict) -> None:
        self.body = json.dumps({"keys": keys}).encode()

    def stop(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.stop()


def deploy(daemon, name: str, jwks: str, source=ECHO, **more):
    return daemon.deploy(name, source, access="jwt", **{"jwt.jwks": jwks, "jwt.issuer": ISSUER, "jwt.audience": AUDIENCE}, **more)


def until_known(daemon, name: str, token: str) -> None:
    processes.eventually(lambda: daemon.request(f"/{name}", headers=bearer(token)).status == 200, 20, "the keys are read")


@pytest.fixture(scope="module")
def server(start_daemon, tmp_path_factory):
    daemon = start_daemon("--threads", "2", "--outbound-allow", "127.0.0.1")
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk(key, name) for name, key in KEYS.items()]}))
    daemon.keys_file = str(file)
    deploy(daemon, "account", daemon.keys_file)
    until_known(daemon, "account", sign())
    return daemon


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_good_token_and_its_claims(server, algorithm):
    token = sign(algorithm, roles=["a", "ü"])
    seen = server.request("/account", headers={**bearer(token), "mayfly-jwt-claims": "e30", "mayfly_jwt_claims": "e30"}).json
    padded = seen["mayfly-jwt-claims"] + "=" * (-len(seen["mayfly-jwt-claims"]) % 4)
    assert json.loads(base64.urlsafe_b64decode(padded))["roles"] == ["a", "ü"]
    assert seen["authorization"] == f"Bearer {token}" and "mayfly_jwt_claims" not in seen
    assert server.request("/account", headers=bearer(sign(algorithm, kid=None))).status == 200, "the only key of its kind"
    assert server.request("/account", headers=bearer(sign(algorithm, aud=["x", AUDIENCE]))).status == 200


def test_what_is_not_believed(server):
    now = int(time.time())
    stranger = ed25519.Ed25519PrivateKey.generate()
    unsigned = f"{base64url({'alg': 'none', 'kid': 'EdDSA'})}.{base64url(claims())}."
    public = KEYS["RS256"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    confused = f"{base64url({'alg': 'HS256', 'kid': 'RS256'})}.{base64url(claims())}"
    confused += "." + base64url(hmac.new(public, confused.encode(), hashlib.sha256).digest())
    good = sign()
    forged = {
        "expired": sign(exp=now - 31), "not yet": sign(nbf=now + 60), "of another": sign(iss="https://evil.example"),
        "for another": sign(aud="other"), "a stranger's": sign(key=stranger), "none": unsigned, "alg confusion": confused,
        "wrong key": sign("ES256", kid="EdDSA"), "crit": sign(headers={"crit": ["x"], "x": 1}), "RS512": jwt.encode(claims(), KEYS["RS256"], "RS512", {"kid": "RS256"}),
        "changed": good.replace(good.split(".")[1], base64url(claims(sub="root"))), "too long": sign(x="x" * 9000), "two parts": "a.b", "nothing": "..",
    }
    for name, token in forged.items():
        refused = server.request("/account", headers=bearer(token))
        wanted = "unknown-signer" if name == "wrong key" else "invalid-token"
        assert (refused.status, refused.problem) == (401, f"urn:mayfly:access:{wanted}"), (name, refused.text)
        assert refused.header("www-authenticate").startswith('Bearer realm="account", error="invalid_token", error_description="'), name
    none = server.request("/account")
    assert (none.status, none.problem) == (401, "urn:mayfly:access:token-needed")
    assert none.header("www-authenticate") == 'Bearer realm="account"'
    assert server.request("/account", headers={"authorization": "Basic eDp5"}).problem == "urn:mayfly:access:token-needed"
    with server.wire() as wire:
        wire.send(f"GET /account HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n\r\n")
        assert wire.answer().status == 400


def test_an_issuer_that_changes_its_keys_and_goes_down(server, issuer):
    old, new = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    issuer.status = 500
    deploy(server, "remote", issuer.url)
    none = server.request("/remote", headers=bearer(sign(key=old, kid="old")))
    assert (none.status, none.problem) == (503, "urn:mayfly:access:keys-unavailable") and none.header("retry-after")
    processes.eventually(lambda: "the keys of tokens cannot be read" in server.last_words(), 10, "the log says why")
    issuer.status = 200
    issuer.give(jwk(old, "old"))
    until_known(server, "remote", sign(key=old, kid="old"))
    issuer.give(jwk(old, "old"), jwk(new, "new"))
    asked = issuer.asked
    first = server.request("/remote", headers=bearer(sign(key=new, kid="new")))
    assert first.problem == "urn:mayfly:access:unknown-signer", "nobody waits for the issuer"
    until_known(server, "remote", sign(key=new, kid="new"))
    assert issuer.asked == asked + 1, "one reading, however often it was asked for"
    issuer.status = 500
    for _ in range(20):
        assert server.request("/remote", headers=bearer(sign(key=old, kid="made-up"))).status == 401
    assert issuer.asked <= asked + 2
    assert server.request("/remote", headers=bearer(sign(key=old, kid="old"))).status == 200


def test_an_issuer_withdraws_all_of_its_keys(server, issuer):
    issuer.give(jwk(KEYS["EdDSA"], "EdDSA"))
    deploy(server, "withdrawn", issuer.url)
    until_known(server, "withdrawn", sign())
    issuer.give()
    assert server.request("/withdrawn", headers=bearer(sign(kid="made-up"))).status == 401  # has the set read again

    def refused():
        answer = server.request("/withdrawn", headers=bearer(sign()))
        return answer.status == 401 and answer.problem == "urn:mayfly:access:unknown-signer"

    processes.eventually(refused, 20, "what was withdrawn does not count")
    processes.eventually(lambda: "no token is good any more" in server.last_words(), 10, "the log says so")


def test_an_issuer_that_hangs_stops_nobody(server, issuer):
    issuer.hold.clear()
    deploy(server, "waits", issuer.url)
    processes.eventually(lambda: issuer.asked == 1, 10, "it is asked")
    assert server.request("/waits", headers=bearer(sign())).status == 503
    assert server.request("/account", headers=bearer(sign())).status == 200
    issuer.give(jwk(KEYS["EdDSA"], "EdDSA"))
    issuer.hold.set()
    until_known(server, "waits", sign())


LAMBDAS = {
    "node": ("index.js", "export const handler = async (event) => event.requestContext.authorizer;"),
    "python": ("main.py", "def handler(event, context):\n    return event['requestContext'].get('authorizer')\n"),
    "async": ("main.py", "async def handler(event, context):\n    return event['requestContext'].get('authorizer')\n"),
}


@pytest.mark.parametrize("form", LAMBDAS)
def test_lambda_handlers_get_the_claims_where_api_gateway_puts_them(server, form):
    file, source = LAMBDAS[form]
    deploy(server, f"claims-{form}", server.keys_file, source=source, file=file)
    until_known(server, f"claims-{form}", sign())
    token = sign(sub="ä", ok=True, groups=["a", "b"], scope="read write", scp=["read", "all"])
    given = server.request(f"/claims-{form}", headers={**bearer(token), "mayfly-jwt-claims": base64url({"sub": "forged"})}).json["jwt"]
    assert given["scopes"] == ["read", "write", "all"]
    expires = given["claims"].pop("exp")
    assert abs(int(expires) - time.time()) < 400 and isinstance(expires, str)
    assert given["claims"] == {"iss": ISSUER, "aud": AUDIENCE, "sub": "ä", "ok": "true", "groups": "[a b]", "scope": "read write", "scp": "[read all]"}
    assert server.request(f"/claims-{form}", headers=bearer(sign())).json["jwt"]["scopes"] is None


def test_without_a_token_there_is_no_authorizer(server):
    server.deploy("anybody", 'export const handler = async (event) => String("authorizer" in event.requestContext);')
    assert server.request("/anybody", headers={"mayfly-jwt-claims": base64url({"sub": "forged"})}).text == "false"


def test_all_scopes_that_are_wanted_must_be_there(server):
    deploy(server, "scoped", server.keys_file, **{"jwt.scopes": "read,write:all"})
    until_known(server, "scoped", sign(scope="read write:all"))
    assert server.request("/scoped", headers=bearer(sign(scp=["write:all", "read"]))).status == 200
    few = server.request("/scoped", headers=bearer(sign(scope="read")))
    assert (few.status, few.problem) == (403, "urn:mayfly:access:insufficient-scope"), few.text
    assert few.header("www-authenticate") == ('Bearer realm="scoped", error="insufficient_scope", '
                                              'error_description="the token has not the scope \'write:all\'", scope="read write:all"')
    assert server.describe("scoped")["config"]["jwt"]["scopes"] == "read write:all"


def test_an_older_version_wants_the_scopes_of_now(server):
    deploy(server, "tightened", server.keys_file)
    until_known(server, "tightened", sign())
    assert server.request("/tightened@1", headers=bearer(sign())).status == 200
    assert server.admin("/v1/functions/tightened/aliases/stable", "PUT", json={"version": 1}).status < 300
    deploy(server, "tightened", server.keys_file, **{"jwt.scopes": "admin"})
    for path in ("/tightened", "/tightened@1", "/tightened@stable"):
        assert server.request(path, headers=bearer(sign())).problem == "urn:mayfly:access:insufficient-scope", path
        assert server.request(path, headers=bearer(sign(scope="admin"))).status == 200, path


def test_settings_that_are_none(server):
    good = {"access": "jwt", "jwt.jwks": "/k", "jwt.issuer": ISSUER, "jwt.audience": AUDIENCE}
    for wrong in ({"jwt.jwks": "http://issuer.example/k"}, {"jwt.jwks": "keys.json"}, {"jwt.jwks": "ftp://x/k"}, {"jwt.issuer": ""}, {"jwt.more": "x"}):
        assert server.put("wrong", ECHO, **{**good, **wrong}).problem == "urn:mayfly:registry:bad-config", wrong
    for missing in ("jwt.jwks", "jwt.issuer", "jwt.audience"):
        refused = server.put("wrong", ECHO, **{key: value for key, value in good.items() if key != missing})
        assert refused.problem == "urn:mayfly:registry:bad-config" and missing in refused.json["detail"], missing
    assert server.describe("account")["config"]["jwt"]["issuer"] == ISSUER


def test_a_rate_counts_for_tokens_too(server, issuer):
    issuer.give(jwk(KEYS["EdDSA"], "EdDSA"))
    deploy(server, "slow", issuer.url, rate_limit="2/h")
    until_known(server, "slow", sign())
    answers = [server.request("/slow", headers=bearer(sign())).status for _ in range(3)]
    assert answers == [200, 429, 429]
    assert server.request("/slow").status == 401, "who has no token is told so first"


def test_a_set_behind_the_firewall_needs_the_operators_word(start_daemon, issuer):
    daemon = start_daemon("--outbound-allow", "127.0.0.1")
    deploy(daemon, "inner", issuer.url)
    processes.eventually(lambda: issuer.asked > 0, 10, "it is asked")
    daemon.options = ()
    daemon.stop()  # the administrator has thought better of it
    asked = issuer.asked
    daemon.start()
    processes.eventually(lambda: "--outbound-allow" in daemon.last_words(), 20, "the log says why there are no keys")
    settings = {"access": "jwt", "jwt.issuer": ISSUER, "jwt.audience": AUDIENCE, "network": "none"}
    refused = daemon.put("other", ECHO, **settings, **{"jwt.jwks": issuer.url})
    assert refused.status == 422 and "--outbound-allow" in refused.json["detail"], refused.body
    assert issuer.asked == asked
