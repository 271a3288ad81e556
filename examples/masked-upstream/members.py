"""The old API: `python3 members.py PORT`. Nobody dares to change it."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Members(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        member = {"id": int(parts.path.strip("/")), "greeting": {"en": "Hello", "de": "Hallo"}[query["lang"][0]],
                  "size": int(query["size"][0]), "card": "4111111111111111", "password": "12345"}
        body = json.dumps(member).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Members).serve_forever()
