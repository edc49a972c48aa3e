"""An S3-compatible server (moto) on a free port of the loopback interface, until its standard input ends.

usage: s3_server.py LOG BUCKET...

Prints its URL. As the real one, and unlike moto alone, it refuses who has no key: buckets whose names begin with `public`
are read without one, everything else needs the key `test`. A bucket whose name ends in `-west` is in us-west-2 and
refuses requests that are signed for another region. Each request is a line of LOG: method, path, who pays or `-`, key
(with its session token) or `-`.
"""

import os
import sys
import threading

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client
from werkzeug.wrappers import Response

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"

log = open(sys.argv[1], "a", buffering=1)
moto = create_backend_app("s3")
one_at_a_time = threading.Lock()


def error(status, code, message):
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, content_type="application/xml")


def refusal(environ):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    authorization, key, region = environ.get("HTTP_AUTHORIZATION", ""), None, None
    if "Credential=" in authorization:
        key, _, region = authorization.split("Credential=")[1].split(",")[0].split("/")[:3]
    token, payer = environ.get("HTTP_X_AMZ_SECURITY_TOKEN"), environ.get("HTTP_X_AMZ_REQUEST_PAYER", "-")
    print(method, path, payer, f"{key}/{token}" if token else key or "-", file=log)
    bucket = path.strip("/").split("/")[0]
    if key is None and not (bucket.startswith("public") and method in ("GET", "HEAD")):
        return error(403, "AccessDenied", "Access Denied")
    if key not in (None, "test"):
        return error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if bucket.endswith("-west") and region not in (None, "us-west-2"):
        return error(301, "PermanentRedirect", "The bucket must be addressed in its region.")
    return None


def application(environ, start_response):
    refused = refusal(environ)
    if refused:
        return refused(environ, start_response)
    # It has a policy of its own for those without a key.
    environ.setdefault("HTTP_AUTHORIZATION", SIGNED)
    # A condition is checked and the object written in two steps there.
    with one_at_a_time:
        return list(moto(environ, start_response))


class Quiet(WSGIRequestHandler):
    def log(self, type, message, *args):
        pass


client = Client(moto)
for bucket in sys.argv[2:]:
    assert client.put(f"/{bucket}").status_code == 200, bucket
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
print(f"http://127.0.0.1:{server.port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os.remove(sys.argv[1])
