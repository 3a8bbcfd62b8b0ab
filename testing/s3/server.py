"""An object store for tests: moto's S3 in memory, with faults on demand.

Prints `port N` once it listens on 127.0.0.1, and ends when its standard input does.

Its own paths, which no fault touches:
/_faults?NAME=NUMBER&...   sets these faults and turns all others off
/_counts                   what was asked for since the start, as JSON
/_objects?bucket=NAME      the keys that are stored, a line each
"""

import hashlib
import io
import json
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qsl

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

# Every so many requests of a kind one meets the fault; 0 is never, 1 is always.
EVERY = [
    "fail_put_every",  # 503, and nothing is stored
    "lose_put_every",  # 200, and nothing is stored
    "silent_put_every",  # stored, and the connection ends without an answer
    "fail_get_every",  # 503, for lists as well
    "fail_delete_every",  # 503, and nothing is deleted
    "truncate_get_every",  # the whole length is promised, half of it comes, and the connection ends
    "shorten_get_every",  # half of the object, with the length of that
]
FAULTS = [*EVERY, "delay_ms", "down", "aged_hours"]  # the last: so much older a HEAD says that an object is

SLOW_DOWN = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"""


class Store:
    def __init__(self):
        self.app = create_backend_app("s3")
        # Moto's own dictionaries are not made for threads; with the lock a request is done as a whole or not at all.
        self.lock = threading.Lock()
        self.faults = dict.fromkeys(FAULTS, 0)
        self.met = dict.fromkeys(EVERY, 0)
        self.counts = dict.fromkeys(["puts", "gets", "heads", "lists", "deletes", "posts", "injected"], 0)

    def control(self, path, query):
        """The answer to one of our own paths."""
        asked = dict(parse_qsl(query, keep_blank_values=True))
        if path == "/_counts":
            with self.lock:
                return 200, json.dumps(self.counts).encode()
        if path == "/_faults":
            try:
                asked = {name: int(number) for name, number in asked.items()}
            except ValueError:
                return 400, b"a fault is a number"
            if not asked.keys() <= self.faults.keys():
                return 400, f"faults are {', '.join(FAULTS)}".encode()
            with self.lock:
                self.faults = dict.fromkeys(FAULTS, 0) | asked
                self.met = dict.fromkeys(EVERY, 0)
            return 200, b""
        if path == "/_objects":
            with self.lock:
                backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
                bucket = backend.buckets.get(asked.get("bucket"))
                if bucket is None:
                    return 404, b"there is no such bucket"
                found = backend.list_objects(bucket, None, None, None, None)[0]
                return 200, "".join(f"{name}\n" for name in sorted(key.name for key in found)).encode()
        return 404, b"there is no such path"

    def is_due(self, fault):
        """Whether this request, one of those that the fault is for, meets it."""
        every = self.faults[fault]
        self.met[fault] += 1
        due = every > 0 and self.met[fault] % every == 0
        self.counts["injected"] += due
        return due

    def answer(self, environ, body):
        """Status, fields and body of an answer, and how many octets of that are sent; None is no answer at all."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/_"):
            status, said = self.control(path, environ["QUERY_STRING"])
            return f"{status} Control", [("Content-Type", "text/plain")], said, len(said)
        if self.faults["delay_ms"]:
            time.sleep(self.faults["delay_ms"] / 1000)
        is_object = "/" in path.strip("/")
        slow_down = ("503 Slow Down", [("Content-Type", "application/xml")], SLOW_DOWN, len(SLOW_DOWN))
        with self.lock:
            kind = {"PUT": "puts", "GET": "gets", "HEAD": "heads", "DELETE": "deletes", "POST": "posts"}.get(method)
            if kind == "gets" and not is_object:
                kind = "lists"
            # Making and removing a bucket is not what is counted.
            if kind and (is_object or kind in ("lists", "posts")):
                self.counts[kind] += 1
            if self.faults["down"]:
                self.counts["injected"] += 1
                return slow_down
            if method == "PUT" and is_object:
                if self.is_due("fail_put_every"):
                    return slow_down
                if self.is_due("lose_put_every"):
                    etag = hashlib.md5(body).hexdigest()
                    return "200 OK", [("ETag", f'"{etag}"')], b"", 0
            if method == "GET" and self.is_due("fail_get_every"):
                return slow_down
            if method == "DELETE" and is_object and self.is_due("fail_delete_every"):
                return slow_down
            status, headers, said = self.do(environ, body)
            sent = len(said)
            if method == "HEAD":
                headers = [(name, self.aged(value) if name.lower() == "last-modified" else value) for name, value in headers]
            if method == "PUT" and is_object and self.is_due("silent_put_every"):
                return None
            if method == "GET" and is_object and status.startswith("2"):
                if self.is_due("truncate_get_every"):
                    sent //= 2
                elif self.is_due("shorten_get_every"):
                    said = said[: len(said) // 2]
                    sent = len(said)
        return status, headers, said, sent

    def aged(self, date):
        return format_datetime(parsedate_to_datetime(date) - timedelta(hours=self.faults["aged_hours"]), usegmt=True)

    def do(self, environ, body):
        """What moto says."""
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        # Whoever asks is let in; moto keeps those out who do not seem to be anybody.
        environ.setdefault("HTTP_AUTHORIZATION", "AWS anybody:anything")
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ.pop("wsgi.input_terminated", None)
        said, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        return status, list(headers), b"".join(said)


class Handler(MotoRequestHandler):
    """Keeps connections open as real stores do, which werkzeug's own handler never does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self):
        environ = self.make_environ()
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
        else:
            body = self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = self.server.app.answer(environ, body)
        if answer is None:
            self.close_connection = True
            return
        status, headers, said, sent = answer
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        is_empty = code in ("204", "304")
        # The length of a HEAD is that of what a GET would bring, and moto's own.
        is_head = self.command == "HEAD"
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding") and (is_head or name.lower() != "content-length"):
                self.send_header(name, value)
        if not is_head and not is_empty:
            self.send_header("Content-Length", str(len(said)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not is_head and not is_empty:
            self.wfile.write(said[:sent])
            if sent < len(said):
                self.close_connection = True

    def log(self, *_):
        """Nothing: tests say what they see."""


def main():
    # An interrupt from the terminal ends the test process, and that ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = make_server("127.0.0.1", 0, Store(), threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"port {server.server_port}", flush=True)
    # Nobody reads from here on.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdin.buffer.read()
    # Not waiting for threads that serve.
    os._exit(0)


main()
