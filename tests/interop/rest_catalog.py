"""An Iceberg REST catalog for tests, on a free port of the loopback interface, until its standard input ends.

usage: rest_catalog.py FOLDER [S3_ENDPOINT]

Only the HTTP is of this project: tables are created, checked against requirements and changed by PyIceberg's own code, in one
`SqlCatalog` below FOLDER for each warehouse (`?warehouse=NAME`, which becomes the prefix). Prints its URL, behind which come

    /open     for everybody
    /token    for who has the token `letmein`
    /oauth    for who has a token of /oauth/v1/oauth/tokens, for the client `me` and the secret `hunter2`; each is good for
              five requests, and is said to be good for an hour
    /vended   for everybody, with keys of S3_ENDPOINT in the answers

POST /fail?WAREHOUSE=HOW has the next commit to a warehouse fail: `lost` does it and closes the connection, `done` does it and answers
503, `not_done` answers 503 and does nothing, `conflict` answers 409 and does nothing. GET /log has a line for each request: method, path, status.
"""

import json
import re
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from pyiceberg.catalog.rest import CreateTableRequest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableRequest

folder, s3_endpoint = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
S3 = {"s3.endpoint": s3_endpoint, "s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": "us-east-1"}
one_at_a_time = threading.Lock()
catalogs, faults, log, tokens = {}, {}, [], {}


def catalog(name):
    if name not in catalogs:
        properties = S3 if s3_endpoint else {}
        catalogs[name] = SqlCatalog(name, uri=f"sqlite:///{folder}/{name}.db", **properties)
    return catalogs[name]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", etag=None, content_type="application/json"):
        log.append(f"{self.command} {self.path} {status}")
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, kind, message):
        self.answer(status, {"error": {"message": message, "type": kind, "code": status}})

    def do_GET(self):
        self.handle_request()

    do_POST = do_HEAD = do_DELETE = do_GET

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        if url.path == "/log":
            return self.answer(200, "\n".join(log).encode(), content_type="text/plain")
        if url.path == "/fail":
            faults.update({name: how[0] for name, how in parse_qs(url.query).items()})
            return self.answer(200, {})
        base, _, path = url.path.lstrip("/").partition("/v1/")
        if not path or base not in ("open", "token", "oauth", "vended"):
            return self.answer(404, b"<html>no such page</html>", content_type="text/html")
        if path == "oauth/tokens":
            return self.give_token(parse_qs(body.decode()))
        if not self.may(base):
            # As some servers do: what was sent comes back.
            return self.error(401, "NotAuthorizedException", f"not authorized: {self.headers.get('Authorization')}")
        try:
            with one_at_a_time:
                self.route(base, path, url, json.loads(body) if body else None)
        except (NoSuchTableError, NoSuchNamespaceError) as e:
            self.error(404, type(e).__name__.replace("Error", "Exception"), str(e))
        except (TableAlreadyExistsError, NamespaceAlreadyExistsError) as e:
            self.error(409, "AlreadyExistsException", str(e))
        except CommitFailedException as e:
            self.error(409, "CommitFailedException", str(e))
        except ValueError as e:
            self.error(400, "BadRequestException", str(e))

    def may(self, base):
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if base == "token":
            return (scheme, token) == ("Bearer", "letmein")
        if base == "oauth":
            left = tokens.get(token, 0)
            tokens[token] = left - 1
            return left > 0
        return True

    def give_token(self, form):
        said = [form.get(name, [""])[0] for name in ("grant_type", "client_id", "client_secret", "scope")]
        if said != ["client_credentials", "me", "hunter2", "catalog"]:
            return self.answer(400, {"error": "invalid_client", "error_description": f"no client {said}"})
        token = uuid.uuid4().hex
        tokens[token] = 5
        self.answer(200, {"access_token": token, "token_type": "bearer", "expires_in": 3600})

    def route(self, base, path, url, body):
        if path == "config":
            warehouse = parse_qs(url.query).get("warehouse", ["main"])[0]
            return self.answer(200, {"defaults": {"prefix": "other"}, "overrides": {"prefix": f"wh/{warehouse}"}})
        found = re.fullmatch(r"wh/([\w-]+)/(namespaces|namespaces/([^/]+)(?:/(register|tables)(?:/([^/]+))?)?)", path)
        if not found:
            return self.answer(404, b"<html>no such page</html>", content_type="text/html")
        name, _, namespace, what, table = found.groups()
        tables = catalog(name)
        namespace = tuple(unquote(namespace).split("\x1f")) if namespace else None
        identifier = (*namespace, unquote(table)) if table else None
        if namespace is None:
            tables.create_namespace(tuple(body["namespace"]))
            return self.answer(200, body)
        if what is None:
            return self.answer(200, {"namespace": namespace, "properties": tables.load_namespace_properties(namespace)})
        if what == "register":
            return self.table(base, tables.register_table((*namespace, body["name"]), body["metadata-location"]))
        if identifier is None:
            wanted = CreateTableRequest.model_validate(body)
            created = tables.create_table(
                (*namespace, wanted.name),
                wanted.table_schema,
                wanted.location,
                wanted.partition_spec,
                wanted.write_order,
                wanted.properties,
            )
            return self.table(base, created)
        if self.command == "POST":
            return self.commit(tables, identifier, body)
        self.table(base, tables.load_table(identifier))

    def commit(self, tables, identifier, body):
        fault = faults.pop(tables.name, None)
        if fault == "not_done":
            return self.error(503, "ServiceUnavailable", "on purpose")
        if fault == "conflict":
            raise CommitFailedException("on purpose")
        request = CommitTableRequest.model_validate(body)
        done = tables.commit_table(tables.load_table(identifier), request.requirements, request.updates)
        if fault == "lost":
            log.append(f"{self.command} {self.path} lost")
            self.close_connection = True
            return self.connection.shutdown(2)
        if fault == "done":
            return self.error(503, "ServiceUnavailable", "on purpose")
        self.answer(200, document(done.metadata_location, done.metadata, {}))

    def table(self, base, table):
        etag = f'"{table.metadata_location}"'
        if self.headers.get("If-None-Match") == etag:
            return self.answer(304, etag=etag)
        more = {}
        if base == "vended":
            keys = {**S3, "s3.session-token": "vended"}
            more = {"config": {}, "storage-credentials": [{"prefix": table.metadata.location, "config": keys}]}
        self.answer(200, document(table.metadata_location, table.metadata, more), etag=etag)


def document(location, metadata, more):
    return {"metadata-location": location, "metadata": json.loads(metadata.model_dump_json()), **more}


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
