"""The files and batches of the local server: `LLMServer` hands every call that is no chat completion to this.

Calls can fail (`on("create", "drop_after")`: the batch is made, the answer to the call is lost), and batches can end
in other ways than well (`fates("expired", "cut")`), each in turn.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any

Reply = tuple[int, list[str], bytes]
CALLS = ("upload", "create", "list", "retrieve", "content", "cancel", "delete")
FATES = ("good", "half", "silent", "expired", "cancelled", "failed", "queue", "errors_only", "late", "doubled")


class Batches:
    """Answers the lines of a batch when it has been looked at `polls` times."""

    def __init__(self, answer: Callable[[dict[str, Any]], tuple[int, str] | None]) -> None:
        self._answer = answer  # body of a line -> status and body; None when the line is to be lost
        self.polls = 2
        self.victim: int | None = None  # killed when a call meets `kill` (before) or `kill_after` (it is done)
        self.calls: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.most_open = 0
        self.leaves_out: set[str] = set()  # what is never said of a batch
        self.says: dict[str, Any] = {}  # of every batch
        self._faults: dict[str, deque[str]] = defaultdict(deque)
        self._fates: deque[str] = deque()

    def on(self, call: str, *faults: str) -> None:
        """The next calls of this kind meet these faults: a status, drop, drop_after, 500_after, cut, cut_wire, strange,
        echo, kill, kill_after."""
        assert call in CALLS
        self._faults[call].extend(faults)

    def fates(self, *fates: str) -> None:
        """How the next batches end; `stuck` ends only when it is cancelled, `forgotten` is not known again."""
        self._fates.extend(fates)

    def respond(self, method: str, path: str, head: str, body: bytes, key: str) -> tuple[Reply | None, int]:
        """The reply, None to drop the connection; and after how many bytes of it that is done (-1: not at all)."""
        call, found = self._route(method, path)
        self.calls[call] += 1
        faults = self._faults[call]
        fault = faults.popleft() if faults else "good"
        if fault == "drop" or (fault == "kill" and self.kill()):
            return None, 0
        if fault == "echo":
            return (401, [], _error(f"Incorrect key {key}")), -1
        if fault.partition(":")[0].isdigit():
            wait = fault.partition(":")[2]
            return (int(fault[:3]), [f"Retry-After: {wait}"] if wait else [], _error("as scripted")), -1
        status, reply = getattr(self, f"_{call}")(found, head, body, path)
        if fault == "drop_after" or (fault == "kill_after" and self.kill()):
            return None, 0
        if fault == "500_after":
            return (500, [], _error("as scripted")), -1
        if fault == "cut":  # the file itself is short, as far as anyone can see
            reply = reply[: len(reply) * 2 // 3]
        if fault == "strange":  # lines that no reader of batches knows
            reply = reply.replace(b'"custom_id"', b'"name"')
        return (status, [], reply), len(reply) // 2 if fault == "cut_wire" else -1

    def kill(self) -> bool:
        """Kill the victim; False if there is none (any more)."""
        if self.victim is None:
            return False
        os.kill(self.victim, signal.SIGKILL)
        return True

    def _route(self, method: str, path: str) -> tuple[str, str]:
        path, _, _ = path.partition("?")
        for pattern, name in (
            ("POST /v1/files", "upload"),
            ("GET /v1/files/([^/]+)/content", "content"),
            ("DELETE /v1/files/([^/]+)", "delete"),
            ("POST /v1/batches", "create"),
            ("GET /v1/batches", "list"),
            ("GET /v1/batches/([^/]+)", "retrieve"),
            ("POST /v1/batches/([^/]+)/cancel", "cancel"),
        ):
            if (found := re.fullmatch(pattern, f"{method} {path}")) is not None:
                return name, found[1] if found.groups() else ""
        raise AssertionError(f"no such call: {method} {path}")

    def _upload(self, _found: str, head: str, body: bytes, _path: str) -> tuple[int, bytes]:
        boundary = re.search(r"boundary=([^\s;]+)", head)
        assert boundary is not None
        parts = body.split(b"--" + boundary[1].encode())
        (part,) = (part for part in parts if b'name="file"' in part)
        assert any(b'name="purpose"' in part and b"batch" in part for part in parts)
        head_, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]+)"', head_)
        assert name is not None
        number = f"file-{len(self.names)}"
        self.files[number], self.names[number] = content.removesuffix(b"\r\n"), name[1].decode()
        return 200, json.dumps({"id": number, "object": "file", "bytes": len(content), "purpose": "batch"}).encode()

    def _content(self, found: str, *_: object) -> tuple[int, bytes]:
        return (200, self.files[found]) if found in self.files else (404, _error("no such file"))

    def _delete(self, found: str, *_: object) -> tuple[int, bytes]:
        if self.files.pop(found, None) is None:
            return 404, _error("no such file")
        return 200, json.dumps({"id": found, "deleted": True}).encode()

    def _create(self, _found: str, _head: str, body: bytes, _path: str) -> tuple[int, bytes]:
        asked = json.loads(body)
        if asked["input_file_id"] not in self.files:
            return 400, _error("the input file cannot be found")
        batch = {
            "id": f"batch_{len(self.batches)}", "object": "batch", "status": "validating", "created_at": time.time(),
            "input_file_id": asked["input_file_id"], "metadata": asked["metadata"], "endpoint": asked["endpoint"],
            "completion_window": "24h", "fate": self._fates.popleft() if self._fates else "good", "looks": 0,
        }  # fmt: skip
        self.batches[batch["id"]] = batch
        self.most_open = max(self.most_open, sum("ended" not in batch for batch in self.batches.values()))
        return 200, json.dumps(batch).encode()

    def _list(self, _found: str, _head: str, _body: bytes, path: str) -> tuple[int, bytes]:
        newest = list(reversed(self.batches.values()))
        if (after := re.search(r"after=([^&]+)", path)) is not None:
            newest = newest[[batch["id"] for batch in newest].index(after[1]) + 1 :]
        page = {"object": "list", "data": newest[:2], "has_more": len(newest) > 2}  # small pages, so that they matter
        return 200, json.dumps(page).encode()

    def _retrieve(self, found: str, *_: object) -> tuple[int, bytes]:
        batch = self.batches.get(found)
        if batch is None or batch["fate"] == "forgotten":
            return 404, _error("no such batch")
        batch["looks"] += 1
        if "ended" not in batch and batch["status"] != "cancelling":
            batch["status"] = "in_progress"
        if "ended" not in batch and batch["looks"] >= self.polls and batch["fate"] != "stuck":
            self._end(batch)
        elif batch["status"] == "cancelling":
            batch["fate"] = "cancelled"
            self._end(batch)
        hidden = {"output_file_id"} if batch["fate"] == "late" and batch["looks"] < self.polls + 2 else set()
        said = {name: value for name, value in batch.items() if name not in hidden | self.leaves_out}
        return 200, json.dumps(said | self.says).encode()

    def _cancel(self, found: str, *_: object) -> tuple[int, bytes]:
        self.batches[found]["status"] = "cancelling"
        return 200, json.dumps(self.batches[found]).encode()

    def _end(self, batch: dict[str, Any]) -> None:
        fate, batch["ended"] = batch["fate"], True
        lines = [json.loads(line) for line in self.files.get(batch["input_file_id"], b"").splitlines()]
        failed = {"failed": "invalid_request", "queue": "token_limit_exceeded"}.get(fate)
        if not lines or len({line["custom_id"] for line in lines}) < len(lines):
            failed = "invalid_file"
        if failed is not None:
            error = {"code": failed, "message": "as scripted", "line": 1, "param": None}
            batch |= {"status": "failed", "errors": {"object": "list", "data": [error]}}
            return
        done = {"half": 0.5, "silent": 0.5, "expired": 0.5, "cancelled": 0.3, "errors_only": 0.0}.get(fate, 1.0)
        taken = lines[: int(done * len(lines))]
        outputs: list[str] = []
        errors: list[str] = []
        for line in taken:
            if (answer := self._answer(line["body"])) is None:
                continue
            status, text = answer
            body = json.loads(text) if text.startswith("{") and text.endswith("}") else text
            response = {"status_code": status, "request_id": "r", "body": body}
            written = {"id": "line", "custom_id": line["custom_id"], "response": response, "error": None}
            (outputs if status == 200 else errors).append(json.dumps(written))
        completed = len(outputs)
        if fate == "doubled":  # a line twice, and one that nobody has asked for
            outputs += [*outputs[:1], json.dumps({"custom_id": "other", "response": None, "error": None})]
        code = {"errors_only": "server_error", "cancelled": "batch_cancelled"}.get(fate, "batch_expired")
        error = {"code": code, "message": "as scripted"}
        if fate != "silent":  # then nothing is said of the rest
            errors += [
                json.dumps({"id": "line", "custom_id": line["custom_id"], "response": None, "error": error})
                for line in lines[len(taken) :]
            ]
        random.Random(len(lines)).shuffle(outputs)
        for name, content in (("output", outputs), ("error", errors)):
            if content:
                batch[f"{name}_file_id"] = f"{batch['id']}-{name}"
                self.files[f"{batch['id']}-{name}"] = ("\n".join(content) + "\n").encode()
        counts = {"total": len(lines), "completed": completed, "failed": len(lines) - completed}
        ended = {"expired": "expired", "half": "expired", "cancelled": "cancelled"}.get(fate, "completed")
        batch |= {"status": ended, "request_counts": counts}


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "error", "code": "scripted", "param": None}}).encode()
