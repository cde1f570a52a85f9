"""Files, names and numbers from outside that are amiss: read all the same, or refused by name in one message."""

from __future__ import annotations

import io
import json
import os
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedder_check_material import picture
from synthetic_results import predictions

from nounflow.annotation.exchange import read_judgements
from nounflow.captions.json_list import read_json_list
from nounflow.classification.table import read_table
from nounflow.cli import main
from nounflow.commandline import reported_errors
from nounflow.commands.calibrate import _refuse_few
from nounflow.commands.options import not_over, noun_list, photo_files
from nounflow.commands.regions import _pictures
from nounflow.config.experiment import read_config
from nounflow.config.regions import ProposalsConfig
from nounflow.counts import Counts
from nounflow.embedder_checks.expected import read_published
from nounflow.embedders.hub import check_whole
from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.inputs.emoji import ENGLISH
from nounflow.inputs.transfer import opened
from nounflow.nouns.emoji_names import read_cldr
from nounflow.nouns.english_wordnet import read_english_wordnet
from nounflow.nouns.published import read_vocabulary
from nounflow.nouns.rules import load_rules
from nounflow.open_set.evaluation import Compared, Scored
from nounflow.open_set.pairs import LeftOut, read_pairs
from nounflow.regions.coco import read_boxes
from nounflow.regions.photographs import FoundRegions, as_coco
from nounflow.regions.proposal_files import load
from nounflow.schemas.boxes import read_coco
from nounflow.schemas.predictions import read_predictions
from nounflow.schemas.published_predictions import from_published
from nounflow.schemas.tag_labels import read_tag_labels
from nounflow.scoring.rows import read_scores
from nounflow.sidecars import add_keywords
from nounflow.tags.texts import LabelList
from nounflow.tsv import read_rows
from nounflow.web.security import web_address

REPOSITORY = Path(__file__).resolve().parent.parent
LATIN = os.fsdecode(b"caf\xe9")
TAKEN_APART = unicodedata.normalize("NFD", "café")


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def shard(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def pairs_of(source: Path) -> tuple[list[tuple[str, str]], dict[str, int]]:
    left_out = LeftOut()
    return [(pair.name, pair.caption) for pair in read_pairs(source, left_out)], dict(left_out)


# Pairs of image and caption

SAMPLE = [("0.png", b"image"), ("0.txt", b"zero"), ("1.png", b"image"), ("1.txt", b"one")]


def test_a_shard_is_opened_by_its_name_which_is_no_command_and_no_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pipe:touch ran;cat x.tar", "a{1..2}.tar", "a::b.tar", "http:x.tar"):
        found, left_out = pairs_of(shard(Path(name), SAMPLE))
        assert [caption for _, caption in found] == ["zero", "one"]
        assert not left_out
    assert not Path("ran").exists()


def test_shards_of_other_endings_are_read_and_single_members_are_left_out(tmp_path: Path) -> None:
    for name, mode in (("0.tar.gz", "w:gz"), ("1.tgz", "w:gz"), ("2.TAR", "w")):
        shard(tmp_path / "shards" / name, SAMPLE, mode)
    picture(tmp_path / "shards/beside.png", 1)
    found, left_out = pairs_of(tmp_path / "shards")
    assert len(found) == 6
    assert left_out == {"it lies beside shards, which are read in its place": 1}
    strange = [("0.png", b"x"), ("0.png", b"y"), *SAMPLE[1:], (f"{LATIN}.png", b"x"), (f"{LATIN}.txt", b"x")]
    found, left_out = pairs_of(shard(tmp_path / "strange.tar", strange))
    assert [caption for _, caption in found] == ["zero", "one"]
    assert left_out == {"a file stands in it twice": 1, "its name is no UTF-8; rename it": 1}
    (tmp_path / "gone.tar").symlink_to("nowhere")
    shard(tmp_path / "some/0.tar", SAMPLE)
    (tmp_path / "some/1.tar").symlink_to("nowhere")
    assert pairs_of(tmp_path / "some")[1] == {"the shard cannot be read (No such file or directory)": 1}


def test_a_table_of_pairs_as_a_spreadsheet_or_another_system_wrote_it(tmp_path: Path) -> None:
    for name in ("a.png", "café.png", f"{LATIN}.png"):
        (tmp_path / name).write_bytes(b"image")
    lines = ["filepath\ttitle", '"a.png"\t"a ""red"" thing"', f"{TAKEN_APART}.png\tb\x00\x1b[31m c", "a.png\t'=d", ""]
    text = "\r\n".join([*lines, "x" * 300 + ".png\tlong"]).encode() + b"\r\ncaf\xe9.png\te\r\n"
    found, left_out = pairs_of(written(tmp_path / "pairs.tsv", text))
    assert [caption for _, caption in found] == ['a "red" thing', "b [31m c", "=d"]
    assert left_out == {"the image does not exist": 1, "its name is no UTF-8; rename it": 1}
    text = "a.png\tköter\n".encode("utf-16")
    assert [caption for _, caption in pairs_of(written(tmp_path / "pairs.tsv", text))[0]] == ["köter"]


# COCO

IMAGES = [{"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}]
NAMES = [{"id": 1, "name": "cat"}]
BOX = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}


def coco(path: Path, **parts: Any) -> Path:
    return written(path, {"images": IMAGES, "categories": NAMES, "annotations": [BOX], **parts})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"images": [{**IMAGES[0], "width": float("inf")}]}, "OverflowError"),
        ({"images": [{**IMAGES[0], "width": 0}]}, "an image of 0 x 10 pixels"),
        ({"images": [*IMAGES, {**IMAGES[0], "file_name": "b.jpg"}]}, "Two images have the id 1: a.jpg and b.jpg"),
        ({"categories": [*NAMES, {"id": 1, "name": "dog"}]}, "Two categories have the id 1: cat and dog"),
        ({"categories": [{"id": 1, "name": None}]}, "a category is called None"),
        ({"annotations": [{**BOX, "bbox": [10**400, 1, 2, 3]}]}, "OverflowError"),
        ({"annotations": ["x"]}, "no COCO file of boxes"),
    ],
)
def test_a_coco_file_that_cannot_be_meant_is_refused_by_both_readers(
    parts: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = coco(tmp_path / "coco.json", **parts)
    for read in (read_coco, read_boxes):
        with pytest.raises(NounflowError, match=message):
            read(path)


def test_a_coco_file_as_other_tools_write_it_is_read(tmp_path: Path) -> None:
    images = [
        {**IMAGES[0], "id": "x1", "file_name": f"./sub/{TAKEN_APART}.jpg", "split": None},
        {**IMAGES[0], "id": "x2", "file_name": "sub\\b.jpg"},
        {**IMAGES[0], "id": "x3", "file_name": "sub/b.jpg"},
    ]
    boxes = [{**BOX, "image_id": "x1", "category_id": "1"}, {**BOX, "image_id": "x3"}]
    boxes += [{**BOX, "image_id": "x1", "bbox": bad} for bad in (None, [1, 2, 3], [float("nan"), 1, 1, 1])]
    path = coco(tmp_path / "coco.json", images=images, annotations=boxes)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    files = ["sub/café.jpg", "sub/b.jpg"]
    found, truth = read_coco(path, files), read_boxes(path, files)
    assert found.files == tuple(truth.images) == tuple(files)
    assert [box.file for box in found.boxes] == files
    assert not found.splits
    assert not truth.splits
    assert sum("no box of four numbers" in problem for problem in found.problems) == 3
    assert truth.dropped == {"a box without an area": 3}
    assert [len(truth.boxes[file]) for file in files] == [1, 1]


def test_proposals_of_a_file_are_found_in_another_spelling_and_strange_ones_refused(tmp_path: Path) -> None:
    def source(rows: list[dict[str, Any]]) -> Any:
        return load(ProposalsConfig(source="file", file=str(written(tmp_path / "p.json", rows))), "cpu")

    found = source([{"file_name": f"./{TAKEN_APART}.jpg", "bbox": [0, 0, 5, 5], "score": 0.5}])
    assert found(None, "café.jpg")[1].tolist() == [0.5]
    for row in ({"bbox": [0, 0, 5, 5]}, {"image_id": 1, "bbox": [10**400, 0, 5, 5]}):
        with pytest.raises(NounflowError, match="has not COCO's form"):
            source([row])


# Label files of several nouns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("present,file\ncat\n", "A row names no file"),
        ("file,present\na.jpg,cat,dog\n", "more cells than the header"),
        ("file,present\na.jpg,cat\n./a.jpg,dog\n", "stands on two lines"),
        ("file,present\n../a.jpg,cat\n", "below the folder"),
        ('file,present\na.jpg,"cat\n', "quotation mark opens a cell"),
        ("file;present\na.jpg;cat\n", "found: file;present"),
        ("file,present,split\na.jpg,cat,Training\n", "A split is called 'training'"),
    ],
)
def test_a_row_of_several_labels_that_says_nothing_sure_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match=message):
        read_tag_labels(written(tmp_path / "labels.csv", text), ["a.jpg"])


def test_labels_are_found_in_another_spelling_and_what_does_not_fit_is_told(tmp_path: Path) -> None:
    text = f"File , Present,unknown,SPLIT\n{TAKEN_APART}.jpg,'=cat,,Train\nx\\b.jpg,dog,dog,test\n\ngone.jpg,dog,,\n"
    seen = written(tmp_path / "seen.txt", "=cat\nwolf\n")
    found = read_tag_labels(written(tmp_path / "labels.csv", text), ["café.jpg", "x/b.jpg"], seen)
    assert (found.files, found.labels, found.splits) == (("café.jpg", "x/b.jpg"), ("=cat", "dog"), ("train", "test"))
    assert found.values.tolist() == [[1, -1], [-1, 1]]
    assert [problem.split(":")[0] for problem in found.problems] == [
        "labels that are present and unknown, which count as present",
        "images that are missing from the folder",
        f"labels of {seen} that no image can have",
    ]
    for name, lines in (("Concepts81", "sky\n"), ("Imagelist", "a.jpg\nb.jpg\n"), ("Labels_sky", "1\nyes\n")):
        written(tmp_path / f"nus/{name}.txt", lines)
    with pytest.raises(NounflowError, match="neither 0 nor 1"):
        read_tag_labels(tmp_path / "nus", ["a.jpg"])
    assert LabelList.of(["Cat", "cat", "dog"], ["cat"], None).problems == ("Cat = cat",)


# Predictions, vocabularies, lexicon sources


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [[float("nan")]]}, "score.0.0"),
        ({"score": [[-(10**400)]]}, "too large"),
        ({"score": [[float("-inf")]]}, "score.0.0"),
        ({"pred": []}, "0 rows for 1 images"),
        ({"score": [[-0.1, -0.2]]}, "'a.png' has 1 nouns, 2 scores"),
    ],
)
def test_predictions_whose_numbers_or_lists_do_not_fit_are_refused_at_the_door(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    document = predictions("r", {"a.png": ["cat"]}).model_dump(mode="json")
    ((name, part),) = document["predictions"].items()
    part = {key: value for key, value in {**part, **change}.items() if key != "probability"}
    path = written(tmp_path / "p.json", json.dumps({**document, "predictions": {name: part}}))
    with pytest.raises(NounflowError, match=message):
        from_published(path, "r", "s")


def test_predictions_of_another_version_or_of_none_are_refused(tmp_path: Path) -> None:
    document = predictions("r", {"a.png": ["cat"]}).model_dump(mode="json")
    changes: tuple[dict[str, Any], ...] = ({"version": 2}, {"predictions": {}})
    for change in changes:
        with pytest.raises(NounflowError, match=r"version \d, \d decoding configurations"):
            from_published(written(tmp_path / "p.json", {**document, **change}), "r", "s")
    write_json(tmp_path / "short.json", predictions("a", {"1.png": []}).model_dump(mode="json"))
    with pytest.raises(NounflowError, match="do not fit together"):
        read_predictions(tmp_path / "short.json")
    with pytest.raises(SystemExit):
        main(["predictions", "import", str(tmp_path / "p.json"), "--run", "../x", "--image-set", "s"])


def test_a_weight_of_a_vocabulary_that_no_table_holds_is_refused(tmp_path: Path) -> None:
    entry = {"id": 0, "target_noun": "cat", "pretty_noun": "cat", "singulars": ["cat"], "plurals": []}
    with pytest.raises(NounflowError, match="less than or equal to 1000000"):
        read_vocabulary(written(tmp_path / "v.json", [{**entry, "singulars_freq": [10**30], "plurals_freq": []}]))


@pytest.mark.parametrize("names", ["fox", 5, [1], [["fox"]]])
def test_names_of_emoji_that_are_no_texts_are_refused(names: Any, tmp_path: Path) -> None:
    for locale in ENGLISH:
        annotations = {"annotations": {"annotations": {"\U0001f98a": {"tts": names}, "\U0001f431": {"tts": None}}}}
        written(tmp_path / locale / "annotations.json", annotations)
    with pytest.raises(NounflowError, match="another layout"):
        list(read_cldr(tmp_path))


@pytest.mark.parametrize("encoding", ["bogus", "utf-32"])
def test_a_release_of_wordnet_in_an_unknown_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    written(tmp_path / "w.xml", f'<?xml version="1.0" encoding="{encoding}"?><LexicalResource/>')
    with pytest.raises(NounflowError, match="not here or damaged"):
        list(read_english_wordnet(tmp_path))


def test_a_file_that_is_no_release_of_wordnet_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "w.xml", "<html><body>404 not found</body></html>")
    with pytest.raises(NounflowError, match="holds no nouns"):
        list(read_english_wordnet(tmp_path))


# Configs, lists, tables, judgements


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("runs: {café: null}".encode("latin-1"), "no YAML"),
        (b"- a\n- b\n", "holds no keys"),
        (b"[" * 1500, "no YAML"),
        (b"open_set: {seed: 1" + b"0" * 5000 + b"}", "no YAML"),
        (b"open_set: {pairs: {a: '~nosuchuser/x'}, nothing: 1}", "unknown key"),
        (b"gallery: 1\nruns: {x: null}\nlexicons: {x: null}\nruns: {y: null}\n", "`runs` stands 2 times"),
        (b"runs:\n  a: &part {seed: 1}\n  b: {<<: *part, seed: 2}\n  a: {seed: 3}\n", "`a` stands 2 times"),
    ],
)
def test_a_config_that_is_none_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match=message):
        read_config([REPOSITORY / "config/config.yaml", written(tmp_path / "c.yaml", content)])


def test_lists_and_tables_as_spreadsheets_write_them(tmp_path: Path) -> None:
    text = '# pets\n"cat"\nC# code  # a comment\ndog\tone\n'
    assert noun_list(written(tmp_path / "l.txt", text)) == ["cat", "C# code", "dog one"]
    with pytest.raises(NounflowError, match=r"control code: \\x1b\[31mcat"):
        noun_list(written(tmp_path / "l.txt", "\x1b[31mcat\n"))
    rows = list(read_rows(written(tmp_path / "t.tsv", 'a\tb\r\n"x ""y"""\t1\u2028\x0c\n\n'), ("a", "b"), "test"))
    assert [dict(row) for row in rows] == [{"a": 'x "y"', "b": "1\u2028\x0c"}]
    assert rows[0].place.endswith("row 2")
    with pytest.raises(NounflowError, match="not readable YAML"):
        load_rules(written(tmp_path / "r.yaml", b"a: caf\xe9"))


def test_json_that_is_nested_without_end_or_holds_half_an_emoji_is_refused(tmp_path: Path) -> None:
    deep = written(tmp_path / "deep.json", "[" * 20_000)
    with pytest.raises(NounflowError, match="nested too deep"):
        list(read_json_list(deep, "list"))
    for text in ('{"a.jpg": ' + "[" * 20_000, '{"a.jpg": {"incorrect": ["\\ud83d"]}}'):
        with pytest.raises(NounflowError, match="not readable JSON"):
            read_judgements(written(tmp_path / "j.json", text), Counts("test"))


def test_tables_that_are_no_utf8_and_weights_without_a_header_are_refused(tmp_path: Path) -> None:
    latin = written(tmp_path / "t.tsv", b"run\tcaf\xe9\n")
    for read in (read_scores, read_table, read_published):
        with pytest.raises(NounflowError):
            read(latin)
    for header in (b"[1]", b"null", b"[" * 5000):
        with pytest.raises(NounflowError, match="cut off"):
            check_whole(written(tmp_path / "w.safetensors", len(header).to_bytes(8, "little") + header))


# Commands


def test_paths_from_stdin_end_at_line_breaks_alone_or_at_nul(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdin: Callable[[bytes], None]
) -> None:
    stdin("a\u2028b.png\r\nc\x0bd.png\n".encode())
    assert photo_files([Path("-")]) == ["a\u2028b.png", "c\x0bd.png"]
    stdin(b"a\nb.png\0c.png\0")
    assert photo_files([Path("-")]) == ["a\nb.png", "c.png"]
    stdin(b"\n")
    with pytest.raises(NounflowError, match="No path came from stdin"):
        photo_files([Path("-")])


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def put(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


def test_drawings_replace_neither_each_other_nor_photographs(tmp_path: Path) -> None:
    found = _pictures(["a/x.jpg", "b/x.jpg", "b/y.png", "b/x_2.png", "c/X.jpg"], tmp_path)
    assert [path.name for path in found.values()] == ["x.png", "x_2.png", "y.png", "x_2_2.png", "X_3.png"]
    with pytest.raises(NounflowError, match="would replace a photograph"):
        _pictures([str(tmp_path / "x.png")], tmp_path)
    assert as_coco([FoundRegions("a", problem="broken")])["images"] == []
    path = written(tmp_path / "p.json", "{}")
    not_over(tmp_path / "other.json", path)
    with pytest.raises(NounflowError, match="would replace the file that is read"):
        not_over(tmp_path / "./p.json", path)


def test_keywords_lie_beside_a_photograph_whose_name_is_no_utf8(tmp_path: Path) -> None:
    photo = tmp_path / f"{LATIN}.png"
    assert add_keywords(photo, ["dog"]) == add_keywords(photo, ["cat"])
    assert all(word in (tmp_path / f"{LATIN}.png.xmp").read_text() for word in ("dog", "cat"))


def test_numbers_and_texts_of_a_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["--threads", "9" * 11], ["--top", "0"], ["--several", "--min-score", "nan"]):
        with pytest.raises(SystemExit):
            main(["name", str(tmp_path), *words])
    assert "is not a whole number from 1 to 999,999,999" in capsys.readouterr().err
    with pytest.raises(SystemExit), reported_errors():
        raise NounflowError("\x1b[31mred", where="a\rb", fix="c")
    assert capsys.readouterr().err == "error: \\x1b[31mred\n  where: a\\rb\n  fix:   c\n"
    with pytest.raises(NounflowError, match="49 labelled images"):
        _refuse_few(49, tmp_path)


def test_an_address_that_can_be_opened_and_one_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nounflow.web.security.own_address", lambda: None)
    assert web_address("0.0.0.0", 80) == web_address("::", 80) == "http://localhost:80"
    assert web_address("::1", 80) == "http://[::1]:80"
    for address in ("http://[::1", "http://example.org/ü", "ftp://example.org"):
        with pytest.raises(NounflowError, match="Not an address"), opened(address, ("http",)):
            pass


def test_a_test_without_a_right_answer_shows_no_image_that_fooled_it() -> None:
    none = np.zeros(3, dtype=bool)
    scored = Scored({"mcm": np.arange(3.0)}, none, {"wrong": ~none}, none, ["f"] * 3, ["g"] * 3, ["c"] * 3)
    assert list(Compared("t", "r", "e", [scored], 1).fooled()) == []
