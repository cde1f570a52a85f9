"""The annotation page's server: what it lets in, what it serves, and that no decision is lost or doubled."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from annotation_site import ANSWERS, Server, Site, decision, judge_through_kills
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from nounflow.annotation.log import DecisionLog, read_records
from nounflow.cli import main
from nounflow.errors import NounflowError
from nounflow.schemas.decisions import Decision, DecisionDraft
from nounflow.web import connections
from nounflow.web.connections import listening_socket
from nounflow.web.security import Guard
from nounflow.web.start import page_address

TRICKY = '<script>alert(1)</script> & "quoted".png'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, wordnet_input: Path) -> Site:
    answers = {**ANSWERS, TRICKY: (["<b>bold</b>", "\u202eevil\x07"], ["", "dog"])}
    site = Site(tmp_path_factory.mktemp("site"), wordnet_input, answers)
    (site.folder / "secret.png").write_bytes((site.folder / "images/dog.png").read_bytes() + b"secret")
    return site


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.start() as server:
        yield server


def post(server: Server, record: dict[str, Any], **headers: str) -> int:
    return server.request("POST", "/api/records", {"records": [record]}, **headers).status


# --- who is let in --------------------------------------------------------------------------------------------------


def test_the_token_in_the_address_becomes_a_cookie_that_other_sites_do_not_send(server: Server) -> None:
    path = server.url.removeprefix(server.origin)
    answer = server.request("GET", f"{path}&annotator=ann", cookie="")
    assert answer.status == 303
    assert answer.headers["location"] == "/?annotator=ann"  # the token stays out of the history
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/api/session?annotator=ann", "/?token=wrong", "/?token=", "/api/tasks?token="]
)
def test_without_the_token_nothing_is_served(server: Server, path: str) -> None:
    for cookie in (
        "",
        f"nounflow_{server.port}=wrong",
        f"{server.cookie}x",
        "nounflow_1=" + server.cookie.split("=")[1],
    ):
        assert server.request("GET", path, cookie=cookie).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": None}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": None}, 200),  # older browsers; the origin is there
        ({"Content_Type": "text/plain"}, 415),  # what a form of another site can send
        ({"Host": "evil.example"}, 421),  # a name that was made to point at this machine
        ({"cookie": ""}, 401),
    ],
)
def test_only_the_page_itself_can_change_anything(
    site: Site, server: Server, headers: dict[str, Any], status: int
) -> None:
    before = len(read_records(site.log))
    assert post(server, decision(site.image("dog.png"), "dog"), **headers) == status
    assert len(read_records(site.log)) == before + (status == 200)


def test_a_foreign_host_name_is_served_nothing_either(server: Server) -> None:
    assert server.request("GET", "/", Host="evil.example").status == 421
    assert server.request("GET", "/", Host=f"localhost:{server.port}").status == 200


def test_a_huge_or_endless_request_is_refused(server: Server) -> None:
    assert server.request("POST", "/api/records", b"x" * 1_000_001).status == 413
    assert server.request("POST", "/api/records", b"", Content_Length="many").status in (400, 411)


def test_only_one_address_of_this_machine_is_listened_at(server: Server) -> None:
    socket.create_connection(("127.0.0.1", server.port), timeout=2).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=2)


def test_every_answer_forbids_foreign_scripts_frames_and_guessing(server: Server) -> None:
    for path in ("/", "/app.js", "/api/session?annotator=ann", "/nothing", "/pictures/x"):
        headers = server.request("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


# --- what is served -------------------------------------------------------------------------------------------------


def test_no_path_leads_out_of_the_image_folder(site: Site, server: Server) -> None:
    places = [
        "../secret.png",
        "../../etc/passwd",
        "/etc/passwd",
        "..\\secret.png",
        "sub dir/../../secret.png",
        "dog.png",
    ]
    for place in places:
        ways = (
            place,
            quote(place, safe=""),
            quote(quote(place, safe=""), safe=""),
            place.replace(".", "%2e"),
            f"{place}%00",
        )
        for way in ways:
            for start in ("/pictures/", "/", "/pictures/%2e%2e/", "/api/tasks/"):
                answer = server.request("GET", quote(f"{start}{way}", safe="/%\\"))
                assert answer.status in (404, 422), (start, way)
                assert b"root:" not in answer.body
    assert server.request("GET", f"/pictures/{'0' * 64}").status == 404
    assert server.request("GET", f"/pictures/{site.image('dog.png')}?size=../../x").status == 404


@pytest.mark.parametrize(
    "line",
    [
        b"/pictures/%c0%ae%c0%ae/secret.png",  # dots in more bytes than they need
        b"/%c0%ae%c0%ae%c0%af%c0%ae%c0%ae%c0%afetc/passwd",
        b"/pictures/%252e%252e%252fsecret.png",
        b"/pictures/%u002e%u002e/secret.png",
        b"/pictures/....//secret.png",
        b"/pictures/..;/secret.png",
        b"/pictures//etc/passwd",
        b"/pictures/\xff\xfe/../../secret.png",
        b"/pictures/..%ef%bc%8fsecret.png",  # a slash of full width
        b"../../../../../../etc/passwd",
        b"file:///etc/passwd",
        b"http://127.0.0.1/pictures/../../secret.png",
    ],
)
def test_no_encoding_of_a_path_leads_out_either(server: Server, line: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=5) as raw:
        head = f" HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nCookie: {server.cookie}\r\nConnection: close\r\n\r\n"
        raw.sendall(b"GET " + line + head.encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] in (b"400", b"404", b"422"), answer[:200]
    assert b"root:" not in answer
    assert b"\xff\xd8\xff" not in answer


def test_another_site_is_allowed_nothing_and_no_other_method_changes_anything(site: Site, server: Server) -> None:
    before = len(read_records(site.log))
    asked = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    for method in ("OPTIONS", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"):
        answer = server.request(method, "/api/records", **asked)
        assert answer.status in (403, 405), method
        assert not any(name.startswith("access-control") for name in answer.headers)
    answer = server.request("GET", "/api/records?records=[]")
    assert answer.status in (404, 405)
    assert len(read_records(site.log)) == before


def test_a_file_name_cannot_write_control_characters_to_the_terminal(tmp_path: Path, wordnet_input: Path) -> None:
    site = Site(tmp_path, wordnet_input)
    path = tmp_path / "results/predictions/one/drawn.json"
    document = json.loads(path.read_text())
    document["samples"][0] = "\x1b]0;owned\x07.png"
    path.write_text(json.dumps(document))
    with site.start() as server:
        assert "owned" in server.output
        assert "\x1b" not in server.output
        assert "\x07" not in server.output


def test_predictions_cannot_name_a_file_outside_the_folder(tmp_path: Path, wordnet_input: Path) -> None:
    site = Site(tmp_path, wordnet_input)
    (tmp_path / "secret.png").write_bytes((tmp_path / "images/dog.png").read_bytes() + b"x")
    (tmp_path / "images/link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "images/way out").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "images/round.png").symlink_to("round.png")
    path = tmp_path / "results/predictions/one/drawn.json"
    document = json.loads(path.read_text())
    for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png", "way out/secret.png", "round.png"):
        document["samples"].append(name)
        for key in ("pred", "score", "probability", "result"):
            document["predictions"]["beam_k5"][key].append(document["predictions"]["beam_k5"][key][0])
    path.write_text(json.dumps(document))
    with site.start() as server:
        assert server.output.count("lies outside the image folder") == 4
        assert server.output.count("does not exist") == 1
        assert server.get("/api/session", annotator="ann")["images"] == 3
        assert server.request("GET", f"/pictures/{site.image('../secret.png')}").status == 404


def test_pictures_are_fresh_jpegs_of_what_was_judged_and_nothing_else(site: Site, server: Server) -> None:
    answer = server.request("GET", f"/pictures/{site.image('cup.png')}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.body.startswith(b"\xff\xd8\xff")
    digest, file = site.image("sub dir/boat.png"), site.folder / "images/sub dir/boat.png"
    kept = file.read_bytes()
    try:
        file.unlink()
        file.symlink_to(site.folder / "secret.png")
        assert b"outside" in server.request("GET", f"/pictures/{digest}").body
        file.unlink()
        file.write_bytes(b"other")
        assert b"changed" in server.request("GET", f"/pictures/{digest}").body
    finally:
        file.unlink(missing_ok=True)
        file.write_bytes(kept)
    assert server.request("GET", f"/pictures/{digest}").status == 200


def test_nouns_come_with_meanings_from_wordnet(server: Server) -> None:
    tasks = server.get("/api/tasks", annotator="reader", n=9)["tasks"]
    nouns = {noun["noun"]: noun for task in tasks for noun in task["nouns"]}
    (meaning,) = nouns["teapot"]["meanings"]
    assert meaning["gloss"].startswith("pot for brewing tea")
    assert meaning["kinds"][0] == "pot"
    assert "couch" in nouns["sofa"]["meanings"][0]["synonyms"]
    assert nouns["<b>bold</b>"]["meanings"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"image": "../x"},
        {"category": "right"},
        {"id": "1"},
        {"annotator": ""},
        {"time": "2026-11-21T10:00:00.000000Z"},
        {"kind": "x"},
    ],
)
def test_what_is_no_record_is_refused_by_its_id_and_holds_up_none_of_the_rest(
    site: Site, server: Server, change: dict[str, str]
) -> None:
    before = len(read_records(site.log))
    good, bad = (decision(site.image("dog.png"), "dog") for _ in range(2))
    bad |= change
    answer = server.request("POST", "/api/records", {"records": [bad]})
    assert answer.status == 422
    assert list(json.loads(answer.body)["refused"]) == [bad["id"]]
    answer = server.request("POST", "/api/records", {"records": [bad, good]})
    assert answer.status == 200
    assert json.loads(answer.body)["accepted"] == [good["id"]]
    assert list(json.loads(answer.body)["refused"]) == [bad["id"]]
    assert len(read_records(site.log)) == before + 1


def test_half_an_emoji_in_a_note_is_mended_and_in_a_query_is_no_fault_of_the_server(site: Site, server: Server) -> None:
    note = {**decision(site.image("dog.png"), "dog"), "evidence": "nice \ud83d"}
    answer = server.request("POST", "/api/records", {"records": [note]})
    assert json.loads(answer.body)["accepted"] == [note["id"]]
    kept = read_records(site.log)[-1]
    assert isinstance(kept, Decision)
    assert kept.evidence == "nice \ufffd"
    answer = server.request("POST", "/api/records", {"records": "\ud83d"})
    assert answer.status == 422


def test_a_record_sent_twice_is_kept_once_and_acknowledged_twice(site: Site, server: Server) -> None:
    record = decision(site.image("dog.png"), "wolf", annotator="twice")
    for _ in range(2):
        assert server.send(record)["accepted"] == [record["id"]]
    changed = {**record, "category": "close_primary"}
    assert server.send(changed)["refused"] == {record["id"]: "another record has this id"}
    assert sum(one.id == record["id"] for one in read_records(site.log)) == 1


# --- nothing is lost ------------------------------------------------------------------------------------------------


def test_with_kill_9_in_between_no_decision_is_lost_and_none_doubled(tmp_path: Path, wordnet_input: Path) -> None:
    site = Site(tmp_path, wordnet_input)
    sent, threads = judge_through_kills(site, annotators=5, each=80, kills=1)
    assert all(len(thread.acknowledged) == 80 for thread in threads)
    kept = [one.id for one in read_records(site.log)]
    assert sorted(kept) == sorted(sent)
    times = [one.time for one in read_records(site.log)]
    assert times == sorted(set(times))


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path, wordnet_input: Path) -> None:
    site = Site(tmp_path, wordnet_input)
    with site.start() as server:
        record = decision(site.image("dog.png"), "dog", "correct_primary")
        server.send(record)
        server.kill()
        old_cookie = server.cookie
    with site.start(port=server.port) as server:
        assert server.request("GET", "/", cookie=old_cookie).status == 401  # each start has a token of its own
        session = server.get("/api/session", annotator="ann")
        assert session["done"] == [
            {"id": record["id"], "image": record["image"], "noun": "dog", "category": "correct_primary", "note": ""}
        ]
        assert "1 of 7 pairs judged" in server.output
        server.send({"kind": "undo", "id": "f" * 32, "annotator": "ann", "tool": "t", "target": record["id"]})
        assert "0 of 7 pairs judged (0.0%)" in server.stop().split("open  ")[1]


def test_a_full_disk_is_said_and_what_was_acknowledged_stays(tmp_path: Path, wordnet_input: Path) -> None:
    site = Site(tmp_path, wordnet_input)
    with site.start(file_kib=300) as server:  # no file may grow beyond
        acknowledged = []
        for number in range(1000):
            record = decision(site.image("dog.png"), f"noun {number}", evidence="x" * 2000)
            answer = server.request("POST", "/api/records", {"records": [record]})
            if answer.status != 200:
                break
            acknowledged.append(record["id"])
        assert answer.status == 507
        assert b"the decision log cannot be written" in answer.body
        assert server.get("/api/session", annotator="ann")["images"] == 3
    kept = {one.id for one in read_records(site.log)}
    assert len(acknowledged) > 5
    assert set(acknowledged) <= kept


# --- the command ----------------------------------------------------------------------------------------------------


def test_missing_asks_nobody_twice_and_the_coverage_is_printed(tmp_path: Path, wordnet_input: Path) -> None:
    site = Site(tmp_path, wordnet_input)
    site.configure(second_pass=1.0)
    with DecisionLog.open(site.log) as log:
        drafts = [decision(site.image("cup.png"), noun, annotator="bob") for noun in ("cup", "teapot")]
        log.append([DecisionDraft(**draft) for draft in drafts]).result()
    with site.start() as server:
        files = {task["file"] for task in server.get("/api/tasks", annotator="ann", n=9)["tasks"]}
        assert files == set(ANSWERS)
    with site.start("--missing") as server:
        files = {task["file"] for task in server.get("/api/tasks", annotator="ann", n=9)["tasks"]}
        assert files == set(ANSWERS) - {"cup.png"}
        assert "2 of 7 pairs judged (28.6%)" in server.output
        assert "1 of 3 first nouns of one judged (33.3%)" in server.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["annotate", "three"], ["no run, file or folder 'three'", "one, two"]),
        (["annotate", "one", "--image-set", "other"], ["'other'", "drawn"]),
        (["annotate", "one", "--wordnet", "none.json"], ["WordNet", "none.json"]),
        (["annotate", "one", "--log", "log.jsonl"], ["SQLite", "decisions merge"]),
        (["decisions", "show", "--log", "none.sqlite"], ["no decision log", "none.sqlite"]),
    ],
)
def test_a_mistake_is_one_message_with_a_way_out(
    tmp_path: Path,
    wordnet_input: Path,
    arguments: list[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = Site(tmp_path, wordnet_input)
    monkeypatch.chdir(site.folder)
    if arguments[0] == "annotate" and "--wordnet" not in arguments:
        arguments = [*arguments, "--wordnet", str(site.manifest)]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--configfile", "mine.yaml"])
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert all(word in shown for word in words), shown


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_port_that_does_not_exist_is_one_message(port: int) -> None:
    with pytest.raises(NounflowError, match=f"The port {port} of 127.0.0.1 cannot be used"):
        listening_socket("127.0.0.1", port)


def test_a_port_that_is_taken_is_one_message() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(NounflowError, match="cannot be used"):
            listening_socket("127.0.0.1", other.getsockname()[1])


def test_short_answers_are_sent_at_once() -> None:
    with listening_socket("127.0.0.1", 0) as listening:  # asyncio turns Nagle's algorithm off for what is named TCP
        assert listening.proto == socket.IPPROTO_TCP


# --- who may open the page, and how long a connection may keep still ---


def guarded(host: str, allowed: Sequence[str] = ()) -> Guard:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})

    return Guard(app, token="t", host=host, port=8765, allowed=allowed)


@pytest.mark.parametrize(
    ("host", "asked", "status"),
    [
        ("127.0.0.1", "localhost:9000", 303),  # a forwarded port
        ("127.0.0.1", "[::1]:8765", 303),
        ("127.0.0.1", "evil.example:8765", 421),
        ("0.0.0.0", "evil.example:8765", 421),
        ("0.0.0.0", "127.0.0.1:8765", 303),
        ("0.0.0.0", f"{socket.gethostname().upper()}:8765", 303),
        ("0.0.0.0", "box.example:8765", 303),  # as --allow-host says
    ],
)
def test_the_page_opens_under_this_machine_s_names_with_any_port(host: str, asked: str, status: int) -> None:
    client = TestClient(guarded(host, ["box.example"]), base_url=f"http://{asked}", follow_redirects=False)
    assert client.get("/?token=t").status_code == status


def test_the_printed_address_can_be_opened() -> None:
    assert "//0.0.0.0:" not in page_address("0.0.0.0", 8765, "t", "")
    assert page_address("192.0.2.7", 8765, "t", "").startswith("http://192.0.2.7:8765/")


def test_half_a_header_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.3)
    settings = uvicorn.Config(guarded("127.0.0.1"), http=connections.PromptHttp, log_level="error")
    running = uvicorn.Server(settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        with socket.create_connection(listening.getsockname(), timeout=10) as half:
            half.sendall(b"GET / HTTP/1.1\r\nHost:")
            assert half.recv(100) == b""  # closed by the server
        running.should_exit = True
        thread.join(10)


def test_that_no_file_handle_is_left_is_said_once() -> None:
    heard = connections.SaidOnce()
    records = [
        logging.LogRecord("asyncio", logging.ERROR, "", 0, message, None, None)
        for message in ["socket.accept() out of system resource\nsocket: 7"] * 3 + ["another"]
    ]
    assert [record.getMessage() for record in records if heard.filter(record)] == [
        "Too many connections: no file handle is left for more",
        "another",
    ]
