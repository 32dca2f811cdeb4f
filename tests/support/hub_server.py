"""A Hub in memory, on the loopback interface, that the real huggingface_hub client talks to.

It speaks the part of the Hub's HTTP interface that loading and publishing a model need: `resolve`
(with the redirect to large files), repository creation, preupload, the LFS batch protocol, commits
and tags. Faults are set as attributes and every request is recorded.
"""

import base64
import hashlib
import json
import re
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

REPO = r"(?P<repo>[^/]+/[^/]+?)"
KIND = "(?:models|spaces)"


@dataclass
class Repo:
    """One repository: its commits, and the names that point at them."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Adds `files` on top of the branch; returns the new commit's hash."""
        tree = {**self.commits.get(self.refs.get(branch, ""), {}), **files}
        sha = hashlib.sha1(repr((len(self.commits), sorted(tree))).encode()).hexdigest()
        self.commits[sha] = tree
        self.refs[branch] = sha
        return sha


class HubServer:
    """The server: `with HubServer() as hub`, then point the client at `hub.url`."""

    token = "hf_loopback"

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.status: int | None = None  # answer every request with this status
        self.cuts: list[int] = []  # cut the next downloads after so many bytes, one entry each
        self.corrupt = False  # flip the last byte of every large file
        self.endless = ""  # send the file of this name without an end
        self.busy: list[tuple[int, dict[str, str]]] = []  # answer the next requests so
        self.busy_methods = ("HEAD", "GET")
        self.silent = ""  # answer requests of this method not at all
        self.drip = ""  # send "headers" or a "body" one byte at a time
        self.packed = b""  # send this, as gzip, for every GET
        self.endless_status = 200
        self.sent = 0  # bytes of endless files
        self.pause = 0.02  # seconds between bytes that drip
        self.ended = Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        # As on the Hub, large files come from another host, which must not be sent the token.
        self.cdn = f"http://localhost:{self._http.server_port}/cdn"

    def __enter__(self) -> "HubServer":
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()

    def add(self, repo_id: str, files: dict[str, bytes], *, private: bool = False) -> str:
        """Commits `files` to a (new) repository; returns the commit's hash."""
        return self.repos.setdefault(repo_id, Repo(private=private)).commit(files)


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def reply(self, status: int, body: bytes | dict = b"", **headers: str) -> None:
            if isinstance(body, dict):
                body = json.dumps(body).encode()
                headers.setdefault("Content_Type", "application/json")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def error(self, status: int, code: str) -> None:
            self.reply(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

        def download(self, body: bytes, **headers: str) -> None:
            span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(span[1]) if span else 0
            if hub.drip == "body" and self.command == "GET":
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.dripping(body)
                return
            if not hub.cuts:
                self.reply(206 if span else 200, body[start:], **headers)
                return
            self.send_response(206 if span else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start : start + hub.cuts.pop(0)])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def endless(self, **headers: str) -> None:
            status = hub.endless_status if self.command == "GET" else 200
            self.send_response(status)
            self.send_header("Connection", "close")
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            self.close_connection = True
            try:
                while self.command == "GET":
                    hub.sent += self.wfile.write(b"x" * 2**20)
            except OSError:
                pass  # the client has left

        def dripping(self, data: bytes) -> None:
            self.close_connection = True
            try:
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if hub.ended.wait(hub.pause):
                        return
            except OSError:
                pass  # the client has left

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            if hub.status:
                self.error(hub.status, "Fault")
                return
            if hub.busy and self.command in hub.busy_methods:
                status, headers = hub.busy.pop(0)
                self.reply(status, b"", **headers)
                return
            if hub.silent == self.command:
                hub.ended.wait(20)
                self.close_connection = True
                return
            if hub.drip == "headers":
                self.dripping(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000)
                return
            if self.command == "GET" and hub.packed:
                self.reply(200, hub.packed, Content_Encoding="gzip")
                return
            for methods, pattern, action in ROUTES:
                match = re.fullmatch(pattern, path)
                if self.command in methods and match:
                    action(self, body, **match.groupdict())
                    return
            self.error(404, "NoSuchRoute")

        do_GET = do_HEAD = do_POST = do_PUT = handle_request

        def repo(self, repo: str) -> Repo | None:
            """The repository, or None after an error has been sent, as the Hub sends it."""
            found = hub.repos.get(repo)
            signed_in = self.headers.get("Authorization") == f"Bearer {hub.token}"
            if found is None:
                self.error(404 if signed_in else 401, "RepoNotFound")
                return None
            if found.private and not signed_in:
                self.error(401, "RepoNotFound")
                return None
            return found

        def resolve(self, body: bytes, repo: str, revision: str, file: str) -> None:
            found = self.repo(repo)
            if found is None:
                return
            commit = found.refs.get(revision, revision)
            if commit not in found.commits:
                self.error(404, "RevisionNotFound")
                return
            content = found.commits[commit].get(file)
            if content is None:
                self.error(404, "EntryNotFound")
                return
            if not file.endswith((".safetensors", ".bin")):
                etag = hashlib.sha1(content).hexdigest()
                if hub.endless == file:
                    self.endless(X_Repo_Commit=commit, ETag=f'"{etag}"')
                    return
                self.download(content, X_Repo_Commit=commit, ETag=f'"{etag}"')
                return
            oid = hashlib.sha256(content).hexdigest()
            hub.objects[oid] = content
            self.reply(
                302,
                Location=f"{hub.cdn}/{oid}",
                X_Repo_Commit=commit,
                X_Linked_Etag=f'"{oid}"',
                X_Linked_Size=str(len(content)),
            )

        def cdn(self, body: bytes, oid: str) -> None:
            content = hub.objects[oid]
            if hub.endless == "model.safetensors":
                self.endless(ETag=f'"{oid}"')
                return
            if hub.corrupt:
                content = content[:-1] + bytes([content[-1] ^ 1])
            self.download(content, ETag=f'"{oid}"')

        def create(self, body: bytes) -> None:
            if self.headers.get("Authorization") != f"Bearer {hub.token}":
                self.error(401, "Unauthorized")
                return
            asked = json.loads(body)
            repo_id = f"{asked['organization']}/{asked['name']}"
            status = 409 if repo_id in hub.repos else 200
            private = asked.get("visibility") == "private"
            hub.repos.setdefault(repo_id, Repo(private=private)).commits.setdefault("0" * 40, {})
            hub.repos[repo_id].refs.setdefault("main", "0" * 40)
            self.reply(status, {"url": f"{hub.url}/{repo_id}"})

        def validate(self, body: bytes) -> None:
            self.reply(200, {"errors": [], "warnings": []})

        def describe(self, body: bytes, repo: str) -> None:
            found = self.repo(repo)
            if found:
                self.reply(200, {"id": repo, "sha": found.refs["main"], "siblings": []})

        def preupload(self, body: bytes, repo: str, revision: str) -> None:
            files = [
                {
                    "path": asked["path"],
                    "uploadMode": "lfs" if asked["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for asked in json.loads(body)["files"]
            ]
            self.reply(200, {"files": files})

        def batch(self, body: bytes, repo: str) -> None:
            objects = []
            for asked in json.loads(body)["objects"]:
                upload = {"href": f"{hub.url}/upload/{asked['oid']}"}
                known = asked["oid"] in hub.objects
                objects.append(asked if known else {**asked, "actions": {"upload": upload}})
            self.reply(200, {"transfer": "basic", "objects": objects})

        def upload(self, body: bytes, oid: str) -> None:
            if hashlib.sha256(body).hexdigest() != oid:
                self.error(400, "BadDigest")
                return
            hub.objects[oid] = body
            self.reply(200)

        def commit(self, body: bytes, repo: str, revision: str) -> None:
            found = self.repo(repo)
            if found is None:
                return
            files = {}
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.objects[value["oid"]]
            sha = found.commit(files, revision)
            url = f"{hub.url}/{repo}/commit/{sha}"
            self.reply(200, {"commitUrl": url, "commitOid": sha, "pullRequestUrl": None})

        def tag(self, body: bytes, repo: str, revision: str) -> None:
            found = self.repo(repo)
            if found is None:
                return
            name = json.loads(body)["tag"]
            if name in found.refs:
                self.error(409, "Conflict")
                return
            found.refs[name] = found.refs.get(revision, revision)
            self.reply(200)

    ROUTES = [
        ("HEAD GET", rf"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", Handler.resolve),
        ("GET", r"/cdn/(?P<oid>\w+)", Handler.cdn),
        ("POST", r"/api/repos/create", Handler.create),
        ("POST", r"/api/validate-yaml", Handler.validate),
        ("GET", rf"/api/{KIND}/{REPO}", Handler.describe),
        ("POST", rf"/api/{KIND}/{REPO}/preupload/(?P<revision>.+)", Handler.preupload),
        ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", Handler.batch),
        ("PUT", r"/upload/(?P<oid>\w+)", Handler.upload),
        ("POST", rf"/api/{KIND}/{REPO}/commit/(?P<revision>.+)", Handler.commit),
        ("POST", rf"/api/{KIND}/{REPO}/tag/(?P<revision>.+)", Handler.tag),
    ]
    return Handler
