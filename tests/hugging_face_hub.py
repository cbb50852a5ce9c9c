"""A small hub on loopback that serves folders by the protocol of huggingface_hub."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY = "someone/digits"


def commit_of(revision):
    """Return the commit of a revision."""
    return hashlib.sha1(revision.encode(), usedforsecurity=False).hexdigest()


class _Server(ThreadingHTTPServer):
    """Has the folder of each revision and commit, and the paths that were requested."""

    def __init__(self, folders):
        super().__init__(("127.0.0.1", 0), _Hub)
        self.folders = {**folders, **{commit_of(name): path for name, path in folders.items()}}
        self.requests = []


class _Hub(BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        self.server.requests.append(self.path)
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{REPOSITORY}/revision/"):
            self.describe(path.rpartition("/")[2])
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            self.list_files(path.rpartition("/")[2])
        elif path.startswith(f"/{REPOSITORY}/resolve/"):
            revision, _, name = path.removeprefix(f"/{REPOSITORY}/resolve/").partition("/")
            self.send_file(revision, name, with_body)
        else:
            self.refuse("RepoNotFound")

    def describe(self, revision):
        if revision not in self.server.folders:
            return self.refuse("RevisionNotFound")
        commit = revision if len(revision) == 40 else commit_of(revision)
        return self.send_json({"id": REPOSITORY, "sha": commit})

    def list_files(self, commit):
        folder = self.server.folders[commit]
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.send_json(
            [
                {
                    "type": "file",
                    "path": path.relative_to(folder).as_posix(),
                    "size": path.stat().st_size,
                    "oid": hashlib.sha256(path.read_bytes()).hexdigest(),
                }
                for path in files
            ]
        )

    def send_file(self, revision, name, with_body):
        body = (self.server.folders[revision] / name).read_bytes()
        tag = hashlib.sha256(body).hexdigest()
        self.send(body, {"ETag": f'"{tag}"', "X-Repo-Commit": revision}, with_body=with_body)

    def send_json(self, value):
        self.send(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, code):
        self.send(b"", {"X-Error-Code": code}, status=404)

    def send(self, body, headers, *, status=200, with_body=True):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@contextlib.contextmanager
def serving_hub(folders):
    """Serve the folder of each revision; yields the address and the list of requests so far."""
    with _Server(folders) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.requests
        finally:
            server.shutdown()
