"""Regions: splits, the view in the store, probes on disk, a whole case, free names, photographs, the page."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageColor
from test_regions import DIM, TEXTS, boxes, coco_file, picture, world

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.regions import (
    FusionConfig,
    ProbeConfig,
    ProposalsConfig,
    RegionCase,
    RegionsConfig,
    RegionsTestConfig,
    RetrievalConfig,
)
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.regions import photographs
from nounflow.regions.case import score_case
from nounflow.regions.coco import read_boxes
from nounflow.regions.detection import WAYS
from nounflow.regions.drawing import COLOURS, Label, draw_boxes
from nounflow.regions.finding import FindsRegions
from nounflow.regions.free_names import NamedBox, answer_of, label_scores, name_boxes
from nounflow.regions.image_regions import ImageRegions
from nounflow.regions.learning import learn_probe
from nounflow.regions.probe_files import pseudo_boxes, read_probes, write_probes
from nounflow.regions.proposals import PROPOSALS, Proposed, crops
from nounflow.regions.scoring import detect, score_ways
from nounflow.regions.splits import base_boxes, split
from nounflow.regions.view import RegionView
from nounflow.report.gallery import jpeg_uri
from nounflow.report.regions import regions_page
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.regions import DrawnPicture, RegionRow, RegionScores
from nounflow.schemas.tables import write_table
from nounflow.serving.drawn import drawn
from nounflow.store.shard_writing import write_shard
from nounflow.tags.naming import BoxedNoun, Tagging

IDENTITY = EmbedderIdentity(
    spec="test:world", dim=DIM, digest="d", weights="w", tokenizer="t", preprocessing="p", precision="fp32"
)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Path, Path, list[ImageRegions]]:
    """The world on disk: view, proposals, boxes; and the world."""
    images, truth = world(48)
    tables = [Proposed(i.file, i.width, i.height, i.boxes, i.objectness).table() for i in images]
    table = pl.concat(tables).select(PROPOSALS.names)
    write_table(tmp_path / "proposals.parquet", table, PROPOSALS)
    rows = crops(table, None).select("x0", "y0", "x1", "y1", "objectness").to_numpy()
    number = np.repeat(np.arange(len(images)), 6)[:, None]
    write_shard(
        tmp_path / "regions.json",
        np.concatenate([image.vectors.reshape(-1, DIM) for image in images]),
        boxes=np.concatenate([number, rows], axis=1).astype(np.float32),
        embedder=IDENTITY,
        lexicon="",
        source="world",
        start=0,
        texts="",
        batch_tokens=0,
        files=tuple(image.file for image in images),
    )
    coco_file(tmp_path / "boxes.json", truth)
    return tmp_path / "regions.json", tmp_path / "proposals.parquet", tmp_path / "boxes.json", images


def test_the_view_gives_back_what_was_embedded(stored: tuple[Path, Path, Path, list[ImageRegions]]) -> None:
    manifest, proposals, _, images = stored
    view = RegionView(manifest, proposals)
    for image in images:
        found = view.image(image.file)
        assert found is not None
        assert (found.width, found.height) == (150, 150)
        for field in ("boxes", "objectness", "vectors"):
            assert np.array_equal(getattr(found, field), getattr(image, field))
    assert view.image("none.png") is None
    other = pl.read_parquet(proposals).with_columns(x0=pl.col("x0") + 1)
    write_table(proposals, other, PROPOSALS)
    with pytest.raises(MismatchError, match="are not those of the table of proposals"):
        RegionView(manifest, proposals)


def test_crops_are_each_box_and_the_same_with_its_surroundings() -> None:
    found = Proposed("a", 400, 300, boxes((100, 50, 180, 110), (0, 0, 9, 9)), np.array([0.9, 0.1], np.float32))
    table = crops(found.table().select(PROPOSALS.names), 1)
    assert table.select("x0", "y0", "x1", "y1").rows() == [(100, 50, 180, 110), (80, 35, 200, 125)]


def test_scored_images_are_never_learnt_from_unless_it_is_said(
    stored: tuple[Path, Path, Path, list[ImageRegions]], tmp_path: Path
) -> None:
    truth = read_boxes(stored[2])
    test = RegionsTestConfig(source="scenes", novel=("name 1", "unicorn"))
    parts = split(truth, test, 1)
    assert (parts.novel, parts.absent) == (("name 1",), ("unicorn",))
    assert parts.base == ("name 0", "name 2", "name 3")
    assert not set(parts.learnt_from) & set(parts.scored)
    assert set(parts.learnt_from) | set(parts.scored) == set(truth.images)
    both = split(truth, test.model_copy(update={"transductive": True}), 1)
    assert set(both.scored) < set(both.learnt_from)
    assert not set(both.base_images) & set(both.scored)  # base boxes of scored images stay unseen
    drawn = split(truth, RegionsTestConfig(source="scenes", novel_share=0.5), 1)
    assert len(drawn.novel) == 2
    assert not set(drawn.novel) & set(drawn.base)
    assert set(base_boxes(truth, ["name 0"], parts.learnt_from)["name 0"]) <= set(parts.learnt_from)
    found = json.loads(stored[2].read_text())
    for i, image in enumerate(found["images"]):
        image["split"] = ("train", "val", "test")[i % 3]
    stored[2].write_text(json.dumps(found))
    marked = split(read_boxes(stored[2]), test.model_copy(update={"most": 10}), 1)
    assert (len(marked.learnt_from), len(marked.scored)) == (10, 10)
    with pytest.raises(NounflowError, match="No novel name has boxes"):
        split(truth, RegionsTestConfig(source="scenes", novel=("unicorn",)), 1)
    with pytest.raises(NounflowError, match="0 images to score"):
        everything = {"images": [{**image, "split": "train"} for image in found["images"]]}
        split(read_boxes(coco_file(tmp_path / "all.json", world(48)[1], **everything)), test, 1)


def test_from_the_store_to_the_table(stored: tuple[Path, Path, Path, list[ImageRegions]], tmp_path: Path) -> None:
    view, truth = RegionView(stored[0], stored[1]), read_boxes(stored[2])
    parts = split(truth, RegionsTestConfig(source="scenes", novel=("name 0", "name 1")), 1)
    base = base_boxes(truth, parts.base, parts.base_images)
    rows = [int(name.split()[1]) for name in (*parts.base, *parts.novel)]
    retrieval, quick = RetrievalConfig(most=5, min_objectness=0.5), ProbeConfig(negatives=2)
    settings = RegionsConfig(retrieval=retrieval, probe=quick)
    variants = {"probe": (settings, False), "one_scale": (settings, True)}
    no_quality = quick.model_copy(update={"quality": False})
    variants["no_quality"] = settings.model_copy(update={"probe": no_quality}), False

    def learnt_from() -> Iterator[ImageRegions]:
        return view.images(parts.learnt_from)

    found = {
        name: learn_probe(learnt_from, base, parts.novel, TEXTS[rows], variant, one)
        for name, (variant, one) in variants.items()
    }
    stand_ins = pseudo_boxes(found["probe"], truth)
    assert len(stand_ins) == 10
    assert {row["file_name"] for row in stand_ins} <= set(parts.learnt_from)
    manifest = write_probes(
        tmp_path / "probe.json",
        {name: learnt.probe for name, learnt in found.items()},
        test="world", embedder=IDENTITY, retrieved={}, learnt_from=parts.learnt_from, scored=parts.scored,
        transductive=False, min_objectness=0.5, source="file", settings={}, seconds=0.0,
    )  # fmt: skip
    again, probes = read_probes(tmp_path / "probe.json")
    assert again == manifest
    for name, learnt in found.items():
        assert np.array_equal(probes[name].weights, learnt.probe.weights)
        assert probes[name].names == learnt.probe.names
    ways = detect(view.images(parts.scored), probes, truth, FusionConfig(), 0.05)
    assert set(ways) == set(WAYS)
    subsets = {"novel": parts.novel, "base": parts.base, "all": (*parts.base, *parts.novel)}
    scores = score_ways(truth, parts.scored, subsets, ways, 1)
    assert scores["fused"].ap50["novel"].value > scores["similarity"].ap50["novel"].value  # type: ignore[operator]
    value, low, high = scores["fused"].difference
    assert low <= value <= high  # type: ignore[operator]
    assert low > 0  # type: ignore[operator]
    weights = tmp_path / "probe.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(DamagedFileError, match="The weights of the probe are missing or not those"):
        read_probes(tmp_path / "probe.json")


def stage(name: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A script's `main`, with an embedder whose vector of a name is that of its last figure."""

    def encode(texts: Sequence[str], progress: bool) -> np.ndarray:
        return TEXTS[[int(text[-1]) for text in texts]]

    model = SimpleNamespace(identity=IDENTITY, encode_texts=encode)
    for place in ("nounflow.embedders.load.load_embedder", "nounflow.regions.case.load_embedder"):
        monkeypatch.setattr(place, lambda *_, **__: model)
    monkeypatch.setattr("nounflow.process.prepare_process", lambda *_: "cpu")
    main: Callable[..., None] = runpy.run_path(str(repository / f"workflow_scripts/{name}.py"))["main"]
    return main


def test_a_name_that_is_added_stands_beside_the_others_and_the_settings_of_scoring_are_kept_to(
    stored: tuple[Path, Path, Path, list[ImageRegions]], tmp_path: Path, repository: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    view, proposals, true, _ = stored
    quick = ProbeConfig(negatives=2, background=0, iterations=4)
    settings = RegionsConfig(retrieval=RetrievalConfig(most=5, min_objectness=0.5), probe=quick)
    monkeypatch.setattr("nounflow.regions.scoring.DRAWS", 20)
    out, stand_ins = tmp_path / "probe.json", tmp_path / "pseudo_boxes.json"
    learn = partial(
        stage("probe_regions", repository, monkeypatch), "world", settings,
        RegionsTestConfig(source="scenes", novel=("name 0",), base=("name 2", "name 3")), true, proposals, view,
        EmbedderConfig(spec="bundled:minilm-conse"), device="cpu", threads=1, out=out, pseudo_boxes=stand_ins,
    )  # fmt: skip
    learn(add=[])
    first = json.loads(stand_ins.read_text())
    learn(add=["name 1", "name 0", "unicorn 9"])  # the data set has no unicorn
    manifest, probes = read_probes(out)
    assert manifest.novel == ("name 0", "name 1", "unicorn 9")
    assert probes["probe"].learnt.tolist() == [True] * 5
    assert json.loads(stand_ins.read_text())[: len(first)] == first
    assert {row["category"] for row in json.loads(stand_ins.read_text())} == set(manifest.novel)
    before = out.read_bytes()
    learn(add=["name 1"])
    assert "in the probe already: name 1" in capsys.readouterr().out
    assert out.read_bytes() == before

    predictor = says(["cup 7"] * 3, [0.9, 0.8, 0.7])
    predictor.manifest = SimpleNamespace(embedder=IDENTITY, lexicon_path="none")
    monkeypatch.setattr("nounflow.regions.case.load_predictor", lambda *_: predictor)
    places = {"probe": out, "view": view, "proposals": proposals, "boxes": true, "predictor": out, "detections": out}
    case = RegionCase(test="t", run="r", folder="", embedder=EmbedderConfig(spec="bundled:minilm-conse"), **places)
    found = {
        heat: score_case(case, settings.model_copy(update={"fusion": FusionConfig(temperature=heat)}), "cpu")
        for heat in (0.05, 5.0)
    }
    row = next(row for row in found[0.05].rows if row.way == "fused")
    assert (row.names_novel, row.boxes_novel + row.boxes_base) == (3, row.images)
    assert set(found[0.05].per_name["fused"]) == {f"name {i}" for i in range(4)}
    sure, unsure = (max(one["score"] for one in found[heat].detections["similarity"]) for heat in found)
    assert sure > 0.9
    assert unsure == pytest.approx(0.2, abs=0.05)  # of five names


def test_proposals_of_a_list_belong_to_the_images_of_the_data_set(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = stage("propose_regions", repository, monkeypatch)
    images = [
        {"id": 3 - i, "file_name": f"{i}.png", "width": 150, "height": 150, "split": ("train", "test")[i % 2]}
        for i in (1, 2)
    ]
    truth = {f"name {i}": {f"{i}.png": boxes((10, 10, 60, 60))} for i in (1, 2)}
    data = coco_file(tmp_path / "boxes.json", truth, images=images)
    (tmp_path / "photos").mkdir()
    for i in (1, 2):
        Image.new("RGB", (150, 150), "white").save(tmp_path / f"photos/{i}.png")
    listed = tmp_path / "proposals.json"
    listed.write_text(json.dumps([{"image_id": 1, "bbox": [5, 5, 20, 20]}, {"image_id": 2, "bbox": [50, 50, 9, 9]}]))
    propose = partial(
        main, "t", tmp_path / "photos", ProposalsConfig(source="file", file=str(listed)),
        *(tmp_path / name for name in ("proposals.parquet", "crops.parquet", "counts.json")), boxes=data,
        test_settings=RegionsTestConfig(source="scenes", novel=("name 1",), base=("name 2",)),
    )  # fmt: skip
    propose()
    table = pl.read_parquet(tmp_path / "proposals.parquet")
    assert table.select("file", "x0").rows() == [("1.png", 50), ("2.png", 5)]
    Image.new("RGB", (300, 300), "white").save(tmp_path / "photos/2.png")
    with pytest.raises(NounflowError, match=r"2\.png has 300 x 300 pixels; by the COCO file it has 150 x 150"):
        propose()


def test_as_many_boxes_are_looked_at_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = boxes(*((x, y, x + 10, y + 10) for x in range(0, 150, 10) for y in range(0, 110, 10)))
    monkeypatch.setattr(
        "nounflow.regions.proposals.load_source", lambda *_: lambda *_: (corners, np.ones(len(corners), np.float32))
    )
    classifier = FindsRegions()
    classifier._embedder = SimpleNamespace(
        device="cpu", preprocess=np.asarray, encode_images=lambda crops: np.ones((len(crops), 2), np.float32)
    )
    classifier._predictor, classifier._gate, classifier._same = says(["cup"] * 165, [0.9] * 165), None, {}
    found = list(classifier.regions([picture()], boxes=165, most=200))
    assert len(found[0].boxes) == 165


def says(nouns: Sequence[str], probabilities: Sequence[float]) -> SimpleNamespace:
    """A predictor that always answers so."""
    return SimpleNamespace(
        width=5,
        answer=lambda vectors, _k: SimpleNamespace(
            texts=[[noun] for noun in nouns], probabilities=np.array(probabilities, np.float32)[:, None]
        ),
    )


def test_boxes_that_mean_the_same_are_joined_and_a_gate_is_kept_to() -> None:
    image = world(1)[0][0]
    image = replace(image, boxes=boxes((0, 0, 10, 10), (0, 0, 10, 9), (50, 50, 60, 60)))
    groups = {"sofa": "s1", "couch": "s1"}
    answer = answer_of(says(["sofa", "couch", "cup"], [0.5, 0.9, 0.4]))
    found = name_boxes(image, answer, groups, FusionConfig())
    assert [one.noun for one in found] == ["couch", "cup"]
    assert len(name_boxes(image, answer, {}, FusionConfig())) == 3
    assert [one.noun for one in name_boxes(image, answer, groups, FusionConfig(), 0.45)] == [found[0].noun]

    def gate(_vectors: np.ndarray, nouns: Sequence[Sequence[str]]) -> list[SimpleNamespace]:
        return [SimpleNamespace(accepted=row[0] == "cup") for row in nouns]

    gated = answer_of(says(["sofa", "couch", "cup"], [0.5, 0.9, 0.4]), gate)  # type: ignore[arg-type]
    assert [one.noun for one in name_boxes(image, gated, groups, FusionConfig())] == ["cup"]


def test_free_names_are_matched_with_a_list_by_the_published_rule() -> None:
    named = [NamedBox(0, (0, 0, 5, 5), "sofa", 0.64, 1.0)]
    labels = np.stack([TEXTS[0], TEXTS[1]])
    text = {"sofa": (TEXTS[0] + 0.99 * TEXTS[1]).astype(np.float32)}
    logits = 100 * labels @ text["sofa"]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert label_scores(named, text, labels)[0] == pytest.approx(0.8 * expected, abs=1e-6)


def test_a_photograph_is_looked_at_without_a_store() -> None:
    source_calls = []

    def source(image: Image.Image, file: str) -> tuple[np.ndarray, np.ndarray]:
        source_calls.append(file)
        return boxes((20, 30, 70, 90), (95, 40, 145, 90)), np.array([0.9, 0.8])

    def encode(crops: Sequence[np.ndarray]) -> np.ndarray:
        means = np.stack([crop.reshape(-1, 3).mean(0) for crop in crops])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))

    embedder = SimpleNamespace(preprocess=np.asarray, encode_images=encode, device="cpu")
    found = photographs.image_regions(picture(), "a.png", source, ProposalsConfig(embedded=1), embedder)
    assert found is not None
    assert found.vectors.shape == (1, 2, 3)
    assert found.vectors[0, 0, 0] > 0.95  # the red box
    assert found.vectors[0, 1, 0] < found.vectors[0, 0, 0]  # with what is around it
    nothing = photographs.image_regions(
        picture(), "a.png", lambda *_: (np.zeros((0, 4)), np.zeros(0)), ProposalsConfig(), embedder
    )
    assert nothing is None
    photo = photographs.FoundRegions("a.png", 160, 120, (NamedBox(0, (20, 30, 70, 90), "box", 0.64, 1.0),))
    assert photo.as_dict()["regions"] == [
        {"box": [20, 30, 70, 90], "noun": "box", "probability": 0.64, "objectness": 1.0, "score": 0.8}
    ]
    document = photographs.as_coco([photo])
    assert document["annotations"][0]["bbox"] == [20, 30, 50, 60]  # type: ignore[index]


def test_the_server_answers_with_boxes() -> None:
    from fastapi.testclient import TestClient

    from nounflow.serving.app import Limits, naming_app

    asked = []

    def regions(images: list[bytes], **options: object) -> Iterator[photographs.FoundRegions]:
        asked.append(options)
        problem = "" if images[0] != b"no image" else "not an image"
        named = (NamedBox(0, (20, 30, 70, 90), "box", 0.64, 1.0),)
        yield photographs.FoundRegions("", 160, 120, () if problem else named, problem)

    def tags(image: bytes, labels: list[str] | None, **options: object) -> list[Tagging]:
        asked.append(options | {"labels": labels})
        nouns = (BoxedNoun("animal", 0.51234, (0, 0, 80, 60.04), by="zebra"), BoxedNoun("sky", 0.4, None))
        return [Tagging("", nouns, alike=("gnu = wildebeest",))]

    classifier = SimpleNamespace(threads=1, regions=regions, tags=tags)
    with TestClient(naming_app(classifier, "m", Limits(), None, set())) as client:  # type: ignore[arg-type]
        found = client.post("/regions?most=3", content=b"a picture", headers={"Content-Type": "image/png"})
        assert found.json()["regions"][0]["noun"] == "box"
        assert (found.json()["model"], found.json()["width"]) == ("m", 160)
        assert asked == [{"boxes": 40, "most": 3, "min_probability": 0.3}]
        wrong = client.post("/regions", content=b"no image", headers={"Content-Type": "image/png"})
        assert (wrong.status_code, "not an image" in wrong.text) == (422, True)
        assert client.post("/regions?boxes=0", content=b"a picture").status_code == 422
        several = client.post("/tags?most=2&noun=animal&noun=sky&min_score=0.3", content=b"a picture").json()
        assert asked[-1] == {"labels": ["animal", "sky"], "most": 2, "threshold": 0.3}
        assert several == {
            "model": "m",
            "nouns": [
                {"noun": "animal", "by": "zebra", "score": 0.5123, "box": [0, 0, 80, 60]},
                {"noun": "sky", "by": "", "score": 0.4, "box": None},
            ],
            "alike": ["gnu = wildebeest"],
        }
        assert client.post("/tags", content=b"a picture").status_code == 200
        assert asked[-1] == {"labels": None, "most": 5, "threshold": None}


def test_several_nouns_of_one_box_stand_in_it_together() -> None:
    white = Image.new("RGB", (100, 80), "white")
    alone = drawn(white, Tagging("", (BoxedNoun("cup", 0.5, (20, 30, 60, 70)),)))
    both = drawn(white, Tagging("", (BoxedNoun("cup", 0.5, (20, 30, 60, 70)), BoxedNoun("mug", 0.4, (20, 30, 60, 70)))))
    assert alone.getpixel((20, 60)) == both.getpixel((20, 60)) != (255, 255, 255)
    assert both != alone
    whole = drawn(white, Tagging("", (BoxedNoun("cup", 0.5, None),)))
    assert whole.getpixel((0, 40)) == whole.getpixel((99, 40)) != (255, 255, 255)


def test_boxes_are_drawn_where_they_are() -> None:
    found = draw_boxes(Image.new("RGB", (100, 80), "white"), [Label((20, 30, 60, 70), "cup 90%", "#ff0000")])
    assert found.getpixel((20, 60)) == (255, 0, 0)
    assert found.getpixel((40, 50)) == (255, 255, 255)


def test_no_text_of_a_box_hides_another() -> None:
    boxes = [(0, 0, 300, 200), (0, 0, 200, 190), (10, 5, 150, 180)]
    white = Image.new("RGB", (400, 300), "white")
    labels = [Label(box, f"espresso {i}%", colour) for i, (box, colour) in enumerate(zip(boxes, COLOURS, strict=False))]
    together = np.asarray(draw_boxes(white, labels))
    rows = [
        np.flatnonzero((together[:, 12:40] == ImageColor.getrgb(label.colour)).all(axis=-1).sum(axis=1) > 10)
        for label in labels
    ]
    assert all(len(found) > 10 for found in rows), "each text has a plate of its own"


def test_the_page_shows_table_and_pictures() -> None:
    known = {"test": "t", "run": "<r>", "embedder": "e", "way": "fused", "transductive": True, "proposals": "file"}
    numbers = {"images": 3, "learnt_from": 4, "names_novel": 1, "names_base": 2, "boxes_novel": 5, "boxes_base": 6}
    scored = {"ap50_novel": 0.1234, "ap50_novel_low": 0.1, "ap50_novel_high": 0.2}
    row = RegionRow(**dict.fromkeys(RegionRow.model_fields) | known | numbers | scored)
    scores = RegionScores(rows=(row,), per_name={"t/<r>/fused": {"cup": 0.5}}, unretrieved={"t/<r>": ("tie",)})
    shown = DrawnPicture(test="t", run="<r>", file="a.png", uri=jpeg_uri(picture()), width=100, height=80,
                         true=("cup",), detected=("cup 0.50",), free=())  # fmt: skip
    page = regions_page(scores.model_copy(update={"pictures": (shown,)}))
    wanted = (
        "12.3",
        "10.0 … 20.0",
        "transductive",
        "cup 50",
        "Nothing was retrieved for: tie",
        "data:image/jpeg",
        "&lt;r&gt;",
    )
    for text in wanted:
        assert text in page
