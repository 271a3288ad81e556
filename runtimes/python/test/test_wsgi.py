"""The WSGI form (PEP 3333)."""

VALIDATED = """
from wsgiref.validate import validator
import json
def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    status, headers = "200 OK", [("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2")]
    if path == "/environ":
        start_response(status, headers)
        return [json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()]
    if path == "/write":
        write = start_response("201 Created", headers)
        write(b"one ")
        return [b"two ", b"three"]
    if path == "/error":
        try: raise ValueError("handled")
        except ValueError:
            import sys
            start_response(status, headers)
            start_response("500 Error", headers, sys.exc_info())
        return [b"error page"]
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    start_response(status, headers)
    return Parts([body, b"", b"!"])
class Parts:
    def __init__(self, parts): self.parts = iter(parts)
    def __iter__(self): return self
    def __next__(self): return next(self.parts)
    def close(self): print("closed")
app = validator(application)
"""


def test_what_wsgiref_validates(start):
    runtime = start({"wsgi.py": VALIDATED})
    assert runtime.ready() == {"form": "wsgi", "serial": True, "warnings": [], "unsafe": []}
    answer = runtime.request("POST", "/a", body="hello", headers={"content-length": "5"})
    assert (answer.status, answer.text, answer.all("x-two"), answer.error) == (200, "hello!", ["1", "2"], None)
    runtime.log("closed")
    environ = runtime.get("/environ?a=b%20", headers=[("host", "example.com"), ("x-y", "1"), ("x-y", "2"), ("x_y", "spoofed"),
                                                      ("cookie", "a=1"), ("cookie", "b=2")]).json
    expected = {"REQUEST_METHOD": "GET", "PATH_INFO": "/environ", "QUERY_STRING": "a=b%20", "SERVER_NAME": "example.com", "SERVER_PORT": "80",
                "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1", "HTTP_HOST": "example.com", "HTTP_X_Y": "1,2",
                "HTTP_COOKIE": "a=1; b=2", "wsgi.url_scheme": "http"}
    assert {key: environ.get(key) for key in expected} == expected
    mounted = runtime.get("/environ", headers=[("x-forwarded-prefix", "/na%6De")]).json
    assert (mounted["SCRIPT_NAME"], mounted["PATH_INFO"], mounted["REQUEST_URI"]) == ("/name", "/environ", "/na%6De/environ")
    write = runtime.get("/write")
    assert (write.status, write.text) == (201, "one two three")
    assert runtime.get("/error").status == 500
    assert (runtime.get("/empty").status, runtime.get("/empty").body) == (204, b"")
    assert runtime.request("HEAD", "/").body == b""
    assert all("Assertion" not in entry.text for entry in runtime.logs), runtime.logs


def test_bodies_stream_both_ways(start):
    runtime = start("""
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/large": return (b"x" * 100_000 for _ in range(20))
    return iter(lambda: environ["wsgi.input"].read(4), b"")
""")
    answer = runtime.begin("POST", headers=[("content-length", "9")], body="12345", more=True)
    runtime.until(lambda: answer.body == b"1234")
    runtime.body(answer, b"678")
    runtime.until(lambda: answer.body == b"12345678")
    runtime.body(answer, b"9", last=True)
    assert runtime.finished(answer).text == "123456789"
    large = runtime.begin(target="/large", granting=False)
    runtime.until(lambda: len(large.body) == 256 << 10)
    runtime.send(6, stream=large.stream, aux=4 << 20)
    assert len(runtime.finished(large).body) == 2_000_000


def test_a_body_without_a_length_gets_one(start):
    """Django reads CONTENT_LENGTH bytes, and none without it."""
    runtime = start("""
def app(environ, start_response):
    start_response("200 OK", [])
    length = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(length or 0))
    return [f"{length} {len(body)} {body[:9].decode()} {len(environ['wsgi.input'].read())}".encode()]
""")
    answer = runtime.begin("POST", body="one", more=True)
    for part in (b"two", b"x" * 500_000):
        runtime.body(answer, part)
    runtime.until(lambda: answer.credit == 500_006, "the credit for what is held")
    runtime.body(answer, b"end", last=True)
    assert runtime.finished(answer).text == "500009 500009 onetwoxxx 0"
    assert answer.credit == 500_006, "none is given twice"
    assert runtime.request("POST", body="whole").text == "5 5 whole 0"
    assert runtime.get().text == "None 0  0"
    empty = runtime.begin("POST", more=True)
    runtime.body(empty, b"", last=True)
    assert runtime.finished(empty).text in ("0 0  0", "None 0  0"), "as its end came before or after it began"
    long = runtime.begin("POST", body="x", more=True)
    for _ in range(33):
        runtime.body(long, b"x" * (1 << 20))
    assert (runtime.finished(long).status, b"Content-Length" in long.body) == (411, True)
    assert runtime.request("POST", body="on").text == "2 2 on 0"


def test_paths_are_latin1_as_the_pep_wants(start):
    runtime = start("def app(environ, start_response):\n    start_response('200 OK', [])\n    return [environ['PATH_INFO'].encode('latin-1')]")
    assert runtime.get("/%C3%A9%20x").text == "/é x"


def test_failures(start):
    runtime = start("""
import sys
def app(environ, start_response):
    path = environ["PATH_INFO"]
    environ["wsgi.errors"].write("to the log\\n")
    if path == "/raise": raise RuntimeError("early")
    if path == "/none": return [b"x"]
    if path == "/twice": start_response("200 OK", []); start_response("200 OK", [])
    if path == "/status": start_response(200, [])
    if path == "/crlf": start_response("200 OK", [("a", "b\\nc")]); return [b"x"]
    if path == "/text": start_response("200 OK", []); return ["text"]
    if path == "/late": return late(start_response)
    if path == "/exc":
        def parts():
            start_response("200 OK", [])
            yield b"part"
            try: raise KeyError("hidden")
            except KeyError: start_response("500 Error", [], sys.exc_info())
        return parts()
    if path == "/wait": environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"fine"]
def late(start_response):
    start_response("200 OK", [])
    yield b"part"
    raise RuntimeError("late")
""")
    for path, message in {"/raise": "RuntimeError: early", "/none": "before it called start_response", "/twice": "called twice",
                          "/status": "must be like '200 OK'", "/crlf": "invalid header value", "/text": "must consist of bytes (got str)"}.items():
        answer = runtime.get(path)
        assert answer.error and answer.error[0] == 1 and message in answer.error[1], (path, answer)
    for path, message in {"/late": "RuntimeError: late", "/exc": "KeyError: 'hidden'"}.items():
        answer = runtime.get(path)
        assert (answer.body, answer.error[:2]) == (b"part", (2, message))
    assert runtime.log("to the log").level == 4
    waiting = runtime.begin("POST", "/wait", more=True)
    runtime.abort(waiting)
    assert runtime.finished(waiting).error is None
    assert runtime.get("/").text == "fine"


def test_objects_and_classes_are_applications_too(start):
    for source in ("class App:\n    def __call__(self, environ, start_response):\n        start_response('200 OK', [])\n        return [b'x']\napp = App()",
                   "class App:\n    def wsgi(self, e, s):\n        s('200 OK', [])\n        return [b'x']\n    def __call__(self, e, s): return self.wsgi(e, s)\napp = App()",
                   "class app:\n    def __init__(self, environ, start_response): start_response('200 OK', [])\n    def __iter__(self): yield b'x'"):
        runtime = start(source)
        assert runtime.ready()["form"] == "wsgi", source
        assert runtime.get().text == "x"




def test_iteration_stops_when_the_client_leaves(start):
    """Whatever comes next is not asked for, and close() is called, also where the parts are empty or not wanted."""
    runtime = start("""
import itertools, time
def app(environ, start_response):
    start_response("200 OK", [])
    return steps(b"" if environ["PATH_INFO"] == "/empty" else b"data")
def steps(part):
    step = None
    try:
        yield b"data"
        for step in itertools.count():
            time.sleep(0.01)
            yield part
    finally:
        print("closed after", step)
""")
    for method, path in (("GET", "/"), ("GET", "/empty"), ("HEAD", "/")):
        answer = runtime.begin(method, path)
        runtime.until(lambda: answer.status == 200)
        runtime.abort(answer)
        assert runtime.finished(answer).error is None
        runtime.until(lambda: any(entry.text.startswith("closed after") and entry.invocation == answer.invocation for entry in runtime.logs))
