"""ClickHouse for tests: the engine of the package `chdb` behind as much of ClickHouse's HTTP protocol as the store uses.

It has one data directory and runs one query at a time. A request carries the settings, database and parameters of its
query, as with a real server. It shows what queries mean, not how long they take.

    server.py PORT FOLDER
"""

import re
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chdb.session import Session

# The user with all rights and no password.
USER = "test"
# URL parameters that are not settings.
NO_SETTINGS = {
    "query", "database", "default_format", "wait_end_of_query", "cancel_http_readonly_queries_on_client_close",
    "query_id", "replace_running_query"}
# HTTP statuses of exceptions, by code; 500 for all others.
STATUSES = {60: 404, 62: 400, 81: 404, 159: 408, 193: 401, 194: 401, 516: 403}


class Fault(Exception):
    """An exception raised by this server, not by the engine."""


class Engine:
    """The session that all requests share."""

    def __init__(self, folder):
        self.session = Session(str(Path(folder) / "data"))
        self.upload = Path(folder) / "upload"
        self.lock = threading.Lock()
        self.database = None
        self.settings = {}

    def execute(self, given, fields, body):
        """Runs the query of a request and returns its output."""
        parameters = {name[6:]: value for name, value in {**given, **fields}.items() if name.startswith("param_")}
        settings = {name: value for name, value in given.items() if name not in NO_SETTINGS and name[:6] != "param_"}
        query = given.get("query", "") + fields.get("query", "")
        data = None
        if re.match(r"(?is)\s*INSERT\s.*\sFORMAT\s+\w+\s*$", query):
            data = body
        else:
            query += body.decode()
        with self.lock:
            self.use(given.get("database", "default"))
            self.set(settings)
            if data is not None:
                self.upload.write_bytes(data)
                query = re.sub(r"(?i)\sFORMAT\s+(\w+)\s*$", rf" FROM INFILE '{self.upload}' FORMAT \1", query)
            output = given.get("default_format", "TabSeparated")
            return self.session.query(query, output, params=parameters).bytes()

    def use(self, database):
        """Makes a database the current one."""
        if self.database != database:
            self.session.query("USE " + quoted(database, "`"))
            self.database = database

    def set(self, settings):
        """Sets exactly these settings in the session."""
        for name in self.settings.keys() - settings.keys():
            self.session.query(f"SET {name} = DEFAULT")
            del self.settings[name]
        for name, value in settings.items():
            if self.settings.get(name) != value:
                self.session.query(f"SET {name} = {quoted(value)}")
                self.settings[name] = value


def quoted(text, quote="'"):
    """A quoted literal or name."""
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def form(kind, body):
    """The fields of a multipart form."""
    boundary = b"--" + kind.split("boundary=")[1].strip('"').encode()
    fields = {}
    for part in body.split(boundary)[1:-1]:
        head, value = part.split(b"\r\n\r\n", 1)
        name = re.search(rb'name="([^"]*)"', head)[1]
        fields[name.decode()] = value[:-2].decode()
    return fields


class Handler(BaseHTTPRequestHandler):
    """A connection."""

    protocol_version = "HTTP/1.1"
    # Buffered, because a head would otherwise wait for the acknowledgement of the previous response.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        given = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        try:
            if self.headers.get("X-ClickHouse-User") != USER:
                raise Fault("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
            fields, body = (form(kind, body), b"") if kind.startswith("multipart/form-data") else ({}, body)
            self.answer(200, self.server.engine.execute(given, fields, body))
        except Exception as error:  # chdb raises various exceptions
            text = str(error)
            code = re.match(r"Code: (\d+)\.", text)
            code = int(code[1]) if code else 1002
            self.answer(STATUSES.get(code, 500), text.encode(), code)

    def answer(self, status, body, code=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    port, folder = sys.argv[1:]
    server = Server(("127.0.0.1", int(port)), Handler)
    server.engine = Engine(folder)
    print("ready for connections", file=sys.stderr, flush=True)
    server.serve_forever()


main()
