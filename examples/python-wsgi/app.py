"""A WSGI application without a framework: the body's lines, numbered, while they arrive."""


def application(environ, start_response):
    if environ["REQUEST_METHOD"] != "POST":
        start_response("405 Method Not Allowed", [("Content-Type", "text/plain"), ("Allow", "POST")])
        return [b"send me lines\n"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"%d: %s" % (number, line) for number, line in enumerate(environ["wsgi.input"], 1))
