"""A stand-in of the hub's API on this machine: repositories are made, uploaded to and downloaded from."""

from __future__ import annotations

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Its repositories: name -> file -> bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.tokens: set[str] = set()

    @property
    def address(self) -> str:
        """For HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_unused: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.tokens.add(self.headers.get("Authorization", ""))
        parts = self.path.partition("?")[0].split("/")
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            self.server.repositories.setdefault(name if "/" in name else f"someone/{name}", {})
            return self._answer({"url": f"{self.server.address}/{name}"})
        if len(parts) > 5 and parts[5] == "preupload":
            files = json.loads(body)["files"]
            return self._answer({"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False,
                                            "oid": None} for file in files]})  # fmt: skip
        if len(parts) > 5 and parts[5] == "commit":
            repository = self.server.repositories["/".join(parts[3:5])]
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    repository[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            url = f"{self.server.address}/{'/'.join(parts[3:5])}/commit/{REVISION}"
            return self._answer({"success": True, "commitOid": REVISION, "commitUrl": url, "hookOutput": ""})
        return self._answer({"valid": True} if parts[-1] == "validate-yaml" else {}, 200)

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4] if parts[:2] == ["api", "models"] else parts[:2])
        if name not in self.server.repositories:
            return self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        files = self.server.repositories[name]
        if parts[0] == "api":
            siblings = [{"rfilename": file} for file in sorted(files)]
            tree = [{"type": "file", "path": file, "size": len(files[file]), "oid": "0" * 40} for file in sorted(files)]
            found = {"id": name, "modelId": name, "sha": REVISION, "siblings": siblings, "private": False, "tags": []}
            return self._answer(tree if "tree" in parts else found)
        content = files.get("/".join(parts[4:]))
        if content is None:
            return self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        etag = hashlib.sha256(content).hexdigest()
        return self._answer(content, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION})

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
