"""Regions: boxes, proposals, retrieval, probe, fusion, average precision."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from nounflow.config.regions import (
    FusionConfig,
    ProbeConfig,
    ProposalsConfig,
    RegionsConfig,
    RegionsTestConfig,
    RetrievalConfig,
)
from nounflow.embedders.prompts import class_embeddings
from nounflow.errors import NounflowError
from nounflow.regions.boxes import best_overlap, degenerate, geometry, grown, overlap, suppressed
from nounflow.regions.coco import read_boxes
from nounflow.regions.detection import WAYS, evidence, fused, keep, similarities
from nounflow.regions.evaluation import best_overlaps, evaluate, recall, resampled_ap50
from nounflow.regions.image_regions import ImageRegions
from nounflow.regions.learning import Learnt, add_names, learn_probe
from nounflow.regions.probe import draw_samples, fit_row, focal_loss, probabilities
from nounflow.regions.proposals import PROPOSALS, load_source, propose, propose_files
from nounflow.regions.quality import fit_quality, quality
from nounflow.regions.retrieval import best_boxes
from nounflow.regions.scoring import score_ways
from nounflow.schemas.boxes import xywh
from nounflow.schemas.tables import write_table
from nounflow.store.rows import unit
from nounflow.streams import stream

DIM = 16


def boxes(*corners: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.array(corners, dtype=np.float32).reshape(-1, 4)


def test_golden_values_of_focal_loss_fusion_and_grown_boxes() -> None:
    for logit, target, expected in ((0.3, 1.0, 0.025098), (-1.2, 0.0, 0.010580)):
        loss = focal_loss(torch.tensor([logit]), torch.tensor([target]), 0.25, 2.0)
        assert loss.item() == pytest.approx(expected, abs=1e-6)
    half, sure, objectness = np.array([[0.5]]), np.array([[0.7]]), np.array([0.64])
    assert fused(half, sure, 0.8, objectness)[0, 0] == pytest.approx(0.647182, abs=1e-6)
    assert fused(half, sure, 1.0, objectness)[0, 0] == pytest.approx(0.669328, abs=1e-6)
    assert fused(half, None, 0.8, objectness)[0, 0] == pytest.approx(0.746426, abs=1e-6)
    assert grown(boxes((100, 50, 180, 110)), 1.5, 400, 300).tolist() == [[80, 35, 200, 125]]


def test_a_grown_box_ends_at_the_image() -> None:
    assert grown(boxes((0, 0, 30, 20)), 1.5, 32, 22).tolist() == [[0, 0, 32, 22]]


def test_overlap_and_suppression() -> None:
    three = boxes((0, 0, 10, 10), (0, 0, 10, 5), (20, 20, 30, 30))
    assert overlap(three, three[:2]).round(2).tolist() == [[1, 0.5], [0.5, 1], [0, 0]]
    assert best_overlap(three, np.zeros((0, 4))).tolist() == [0, 0, 0]
    assert suppressed(three, np.array([0.5, 0.9, 0.1]), 0.4).tolist() == [1, 2]
    assert suppressed(three, np.array([0.5, 0.9, 0.1]), 0.4, np.array([0, 1, 0])).tolist() == [1, 0, 2]
    assert degenerate(boxes((0, 0, 0, 5), (np.nan, 0, 5, 5), (0, 0, 5, 5), (5, 5, 0, 0))).tolist() == [1, 1, 0, 1]


def test_geometry_knows_nesting_and_the_border() -> None:
    found = geometry(boxes((0, 0, 40, 40), (10, 10, 30, 30), (60, 60, 80, 80)), np.array([0.9, 0.5, 0.1]), 100, 100)
    assert found[:, 5].tolist() == [1, 0, 0]
    assert found[:, 6].round(2).tolist() == [0, 0.25, 0]  # with a larger one
    assert found[:, 7].round(2).tolist() == [0.25, 0, 0]  # covered by smaller ones


def picture() -> Image.Image:
    image = Image.new("RGB", (160, 120), (200, 220, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 30, 69, 89), fill=(200, 30, 30))
    draw.ellipse((95, 40, 144, 89), fill=(20, 30, 160))
    return image


TRUE = boxes((20, 30, 70, 90), (95, 40, 145, 90))


def test_selective_search_finds_what_is_there_whatever_was_searched_before() -> None:
    config = ProposalsConfig()
    source = load_source(config, "cpu")
    first = propose(source, picture(), "a.png", config)
    again = propose(source, picture(), "a.png", config)  # OpenCV's own order is random
    assert np.array_equal(first.boxes, again.boxes)
    assert np.array_equal(first.objectness, again.objectness)
    assert recall({"a": first.boxes}, {"a": TRUE}, 10)[0] == 1
    assert (np.diff(first.objectness) <= 0).all()
    plain = propose(source, Image.new("RGB", (60, 60), "white"), "b.png", replace_config(config, per_image=5))
    assert len(plain.boxes) <= 5


def replace_config(config: ProposalsConfig, **fields: object) -> ProposalsConfig:
    return ProposalsConfig(**{**config.model_dump(), **fields})


def test_proposals_are_cleaned_and_cut(tmp_path: Path) -> None:
    found = [
        {"image_id": 7, "bbox": [-5, 10, 40, 40], "score": 0.4},
        {"image_id": 7, "bbox": [0, 10, 35, 41], "score": 0.6},
        {"image_id": 7, "bbox": [50, 50, 0, 20], "score": 0.9},
        {"file_name": "000007.png", "bbox": [100, 60, 30, 30], "score": 0.2},
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(found[:3]))
    config = ProposalsConfig(source="file", file=str(path))
    source = load_source(config, "cpu")
    picture().save(tmp_path / "000007.png")
    (tmp_path / "broken.png").write_bytes(b"")
    one, other = propose_files(source, tmp_path, ["000007.png", "broken.png"], config, 1)
    assert one.boxes.tolist() == [[0, 10, 35, 51]]
    assert (one.dropped, other.problem) == (1, "the file is empty")
    table = tmp_path / "boxes.parquet"
    write_table(table, one.table(), PROPOSALS)
    again = propose(load_source(replace_config(config, file=str(table)), "cpu"), picture(), "000007.png", config)
    assert np.array_equal(again.boxes, one.boxes)
    path.write_text(json.dumps([{**found[1], "score": 60}]))
    with pytest.raises(NounflowError, match="Objectness goes from 0 to 1; a proposal has 60"):
        load_source(config, "cpu")
    path.write_text(json.dumps([{"bbox": [1]}]))
    with pytest.raises(NounflowError, match="has not COCO's form"):
        load_source(config, "cpu")


def test_a_region_proposal_network_with_random_weights(tmp_path: Path) -> None:
    from torchvision.models import detection

    torch.manual_seed(1)
    model = detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, num_classes=3)
    torch.save(model.state_dict(), tmp_path / "rpn.pth")
    config = ProposalsConfig(
        source="rpn", model="fasterrcnn_mobilenet_v3_large_320_fpn", weights=str(tmp_path / "rpn.pth"), per_image=20
    )
    found = propose(load_source(config, "cpu"), picture(), "a.png", config)
    assert 0 < len(found.boxes) <= 20
    assert found.boxes.max(axis=0).tolist() <= [160, 120, 160, 120]
    with pytest.raises(NounflowError, match="no weights of"):
        load_source(replace_config(config, model="fasterrcnn_resnet50_fpn"), "cpu")
    with pytest.raises(NounflowError, match="no detector"):
        load_source(replace_config(config, model="ssd300_vgg16"), "cpu")


@pytest.mark.extra  # transformers takes seconds to import
def test_owlv2_objectness_with_random_weights(tmp_path: Path) -> None:
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor

    torch.manual_seed(1)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Owlv2Config(
        vision_config={**small, "image_size": 32, "patch_size": 8},
        text_config={**small, "vocab_size": 64, "max_position_embeddings": 8},
        projection_dim=16,
    )
    Owlv2ForObjectDetection(config).save_pretrained(tmp_path)
    Owlv2ImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    settings = ProposalsConfig(source="owlv2", weights=str(tmp_path), nms_iou=1.0, min_side=1)
    found = propose(load_source(settings, "cpu"), picture(), "a.png", settings)
    assert 0 < len(found.boxes) <= 16
    with pytest.raises(NounflowError, match="no OWLv2 here"):
        load_source(replace_config(settings, weights=str(tmp_path / "none")), "cpu")


def test_recall_pairs_each_proposal_once() -> None:
    truth = {"a": boxes((0, 0, 10, 10), (0, 0, 10, 9)), "b": boxes((0, 0, 4, 4))}
    proposals = {"a": boxes((0, 0, 10, 10))}
    assert best_overlaps(proposals, truth, 10)["a"].tolist() == [1, 0]
    assert recall(proposals, truth, 10) == pytest.approx([1 / 3, 1 / 3])
    assert recall(proposals, {}) == (None, None)


# A world where a bad fit is more like the name than a good one, and less like an object.
TEXTS = np.eye(DIM, dtype=np.float32)


def world(images: int, seed: int = 1, names: int = 4) -> tuple[list[ImageRegions], dict[str, dict[str, np.ndarray]]]:
    """Images with an object each, a box that fits it, two that do not; name -> file -> its box."""
    rng = np.random.default_rng(seed)
    found, truth = [], dict[str, dict[str, np.ndarray]]()
    for i in range(images):
        name = i % names
        x, y = rng.uniform(20, 60, 2)
        true = np.array([x, y, x + 40, y + 40])
        part, whole = np.array([x, y, x + 18, y + 18]), np.array([x - 20, y - 20, x + 60, y + 60])
        directions = [TEXTS[name] + 0.6 * TEXTS[12], TEXTS[name] + 0.5 * TEXTS[10], TEXTS[name] + 0.5 * TEXTS[11]]
        near = unit(np.stack(directions) + rng.normal(0, 0.05, (3, DIM)))
        wide = unit(near + 0.1 * rng.normal(size=(3, DIM)))
        vectors = np.stack([near, wide], axis=1).astype(np.float16)
        place = boxes(true, part, whole)
        found.append(ImageRegions(f"{i}.png", 150, 150, place, np.array([0.8, 0.45, 0.4], np.float32), vectors))
        truth.setdefault(f"name {name}", {})[f"{i}.png"] = boxes(true)
    return found, truth


QUICK = RegionsConfig(retrieval=RetrievalConfig(most=8, min_objectness=0.5), probe=ProbeConfig(negatives=2))


def learnt(
    images: list[ImageRegions], truth: dict[str, dict[str, np.ndarray]], novel: int = 2, **options: bool
) -> Learnt:
    names = list(truth)
    base = {name: truth[name] for name in names[novel:]}
    rows = [int(name.split()[1]) for name in (*base, *names[:novel])]
    return learn_probe(lambda: images, base, names[:novel], TEXTS[rows], QUICK, **options)


def test_retrieval_in_one_pass_finds_the_best_of_all() -> None:
    images, _ = world(40)
    best = best_boxes(iter(images), TEXTS[:2], RetrievalConfig(most=5, dedup_iou=None, min_objectness=0.42))
    for name, found in enumerate(best):
        every = [
            (float(cosine), image.file, row)
            for image in images
            for row, cosine in enumerate(image.combined() @ TEXTS[name])
            if image.objectness[row] >= 0.42
        ]
        assert [(box.image.file, box.row) for box in found] == [one[1:] for one in sorted(every, reverse=True)[:5]]
    (few,) = best_boxes(images, TEXTS[:1], RetrievalConfig(most=50, per_image=1))
    assert len({box.image.file for box in few}) == len(few) == 40
    assert best_boxes(images[:1], TEXTS[:1], RetrievalConfig(min_objectness=0.9)) == [[]]


def test_only_images_with_a_best_box_are_held() -> None:
    images, _ = world(40)
    alive = [(image.file, weakref.ref(image)) for image in images]
    held = set[str]()

    def one_by_one() -> Iterator[ImageRegions]:
        while images:
            yield images.pop(0)
        held.update(file for file, there in alive if there())  # when the last one was looked at

    best = best_boxes(one_by_one(), TEXTS[:2], RetrievalConfig(most=5))
    assert held - {"39.png"} == {box.image.file for found in best for box in found} - {"39.png"}


def test_negatives_are_of_the_same_image_and_limited() -> None:
    images, truth = world(8)
    placed = {image.file: image.boxes for image in images}
    samples = draw_samples(placed, truth["name 0"], ProbeConfig(negatives=1), 1, "name 0")
    assert set(samples) == set(truth["name 0"])
    for rows, positive in samples.values():
        assert len(rows) == 2
        assert positive.tolist() == [True, False]


def test_a_probe_tells_a_good_fit_from_a_bad_one_where_similarity_does_not() -> None:
    images, truth = world(64)
    fresh, _ = world(16, seed=2)
    probe = learnt(images, truth).probe
    assert probe.novel.tolist() == [False, False, True, True]
    shares = {}
    for way in ("probe_only", "similarity"):
        right = 0
        for i, image in enumerate(fresh):
            scores = WAYS[way].scores(evidence(probe, image, FusionConfig(), 0.05))
            right += scores[:, probe.names.index(f"name {i % 4}")].argmax() == 0
        shares[way] = right / len(fresh)
    assert shares["probe_only"] > 0.9 > 0.5 > shares["similarity"]


def test_adding_a_name_leaves_the_others_as_they_are() -> None:
    images, truth = world(64)
    whole = learnt(images, truth).probe
    less = dict(truth)
    del less["name 1"]
    first = learnt(images, less, novel=1).probe
    grown_probe = add_names(first, lambda: images, ["name 1"], TEXTS[[1]], QUICK).probe
    assert grown_probe.names == (*first.names, "name 1")
    assert np.array_equal(grown_probe.weights[:-1], first.weights)
    at = whole.names.index("name 1")
    assert np.array_equal(grown_probe.weights[-1], whole.weights[at])  # as if it had been there from the start


def test_a_name_without_boxes_has_no_row_and_is_scored_by_similarity() -> None:
    images, _ = world(16)
    settings = RegionsConfig(retrieval=RetrievalConfig(min_objectness=0.99))
    found = learn_probe(lambda: images, {}, ["name 0", "name 1"], TEXTS[:2], settings)
    assert found.pseudo == {"name 0": [], "name 1": []}
    assert not found.probe.learnt.any()
    shown = evidence(found.probe, images[0], FusionConfig(), 0.05)
    assert (shown.probe == 1).all()
    assert np.array_equal(WAYS["fused"].scores(shown), WAYS["no_probe"].scores(shown))


def test_one_scale_sees_the_box_only() -> None:
    images, truth = world(16)
    probe = learnt(images, truth, one_scale=True).probe
    assert probe.weights.shape[1] == DIM + 8 + 1
    changed = replace(images[0], vectors=images[0].vectors * np.array([1, -1], np.float16)[None, :, None])
    assert np.array_equal(probe.features(images[0]), probe.features(changed))


def test_quality_learns_the_fit_from_base_boxes_alone() -> None:
    images, truth = world(64)
    every = {file: box for files in truth.values() for file, box in files.items()}
    features = {image.file: image.features() for image in images}
    placed = {image.file: image.boxes for image in images}
    weights = fit_quality(placed, features, every)
    assert weights is not None
    fresh, _ = world(16, seed=3)
    assert all(quality(image.features(), weights).argmax() == 0 for image in fresh)
    assert fit_quality(placed, features, {}) is None


def test_a_row_separates_what_can_be_separated() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(200, 5)).astype(np.float32)
    wanted = (inputs[:, 0] > 0).astype(np.float32)
    found = probabilities(inputs, fit_row(inputs, wanted, ProbeConfig())[None])[:, 0]
    assert ((found > 0.5) == (wanted > 0.5)).mean() > 0.97


def coco_file(path: Path, truth: dict[str, dict[str, np.ndarray]], **extra: object) -> Path:
    files = sorted({file for of_name in truth.values() for file in of_name})
    number = {file: 100 + i for i, file in enumerate(files)}
    annotations = [
        {"id": i, "image_id": number[file], "category_id": 5 + 3 * place, "bbox": xywh(box), "area": 1, "iscrowd": 0}
        for i, (place, file, box) in enumerate(
            (place, file, box)
            for place, of_name in enumerate(truth.values())
            for file, found in of_name.items()
            for box in found
        )
    ]
    document = {
        "images": [{"id": i, "file_name": file, "width": 150, "height": 150} for file, i in number.items()],
        "categories": [{"id": 5 + 3 * i, "name": name} for i, name in enumerate(truth)],
        "annotations": annotations,
    }
    path.write_text(json.dumps(document | extra))
    return path


def test_average_precision_is_that_of_coco_and_its_resamples_begin_at_it(tmp_path: Path) -> None:
    images, boxes_of = world(24)
    truth = read_boxes(coco_file(tmp_path / "boxes.json", boxes_of))
    files = list(truth.images)
    rng = np.random.default_rng(1)

    def result(image: ImageRegions, name: int, box: np.ndarray, score: float) -> dict[str, object]:
        identity, category = truth.images[image.file][0], truth.category_ids[name]
        return {"image_id": identity, "category_id": category, "bbox": xywh(box), "score": score}

    results = [
        result(image, int(rng.integers(4)) if rng.random() < 0.3 else i % 4, box + rng.normal(0, 4, 4), rng.random())
        for i, image in enumerate(images)
        for box in image.boxes
    ]
    found = evaluate(truth, files, range(4), results)
    assert set(found.ap50) == {0, 1, 2, 3}
    once = np.ones((1, len(files)), dtype=np.int64)
    for name, value in found.ap50.items():
        assert 0 < found.ap[name] < value < 1
        assert resampled_ap50([found.ranked[name]], once)[0] == pytest.approx(value, abs=1e-6)
    assert resampled_ap50(list(found.ranked.values()), once)[0] == pytest.approx(np.mean(list(found.ap50.values())))
    assert resampled_ap50(list(found.ranked.values()), 3 * once)[0] == pytest.approx(np.mean(list(found.ap50.values())))
    ways = {"similarity": results}
    scored = score_ways(truth, files, {"all": truth.names, "novel": truth.names}, ways, 1)
    middle, low, high = scored["similarity"].ap50["all"]
    counts = stream(1, "regions", "bootstrap").multinomial(len(files), np.full(len(files), 1 / len(files)), 1000)
    draws = resampled_ap50(list(found.ranked.values()), counts)
    assert draws.mean() > np.mean(list(found.ap50.values())) + 0.01  # images that stand twice in a sample lift it
    assert middle is not None
    assert (low, high) == pytest.approx(np.quantile(draws, (0.025, 0.975)) + middle - draws.mean())
    crowd = replace(truth, crowds={**truth.crowds, "0.png": np.array([True])})  # a box around many
    within = [result(images[0], 0, images[0].boxes[1], 0.99)]  # inside: neither right nor wrong
    many = [result(images[4], 0, np.array([0, 0, 9, 9]), 0.9)] * 120  # 100 of these count in an image
    loose = [result(images[0], 0, images[0].boxes[0] + 9, 1.0), result(images[0], 0, images[0].boxes[0], 0.5)]
    for boxes_true, further in ((crowd, within), (truth, many), (truth, loose)):  # loose: both fit, at 0.5 the first
        found = evaluate(boxes_true, files, range(4), [*further, *results])
        assert resampled_ap50([found.ranked[0]], once)[0] == pytest.approx(found.ap50[0], abs=1e-6)
    perfect = [result(image, i % 4, image.boxes[0], 0.5) for i, image in enumerate(images)]
    assert set(evaluate(truth, files, range(4), perfect).ap.values()) == {1.0}
    assert set(evaluate(truth, files, range(4), []).ap50.values()) == {0.0}


def test_wrong_boxes_of_a_data_set_are_named_and_left_out(tmp_path: Path) -> None:
    _, boxes_of = world(4)
    wrong = [
        {"id": 1, "image_id": 100, "category_id": 5, "bbox": [0, 0, 0, 5]},
        {"id": 2, "image_id": 999, "category_id": 5, "bbox": [0, 0, 5, 5]},
        {"id": 3, "image_id": 100, "category_id": 90, "bbox": [0, 0, 5, 5]},
        {"id": 4, "image_id": 100, "category_id": 5, "bbox": [0, 0, 5, 5]},
    ]
    truth = read_boxes(coco_file(tmp_path / "boxes.json", boxes_of, annotations=wrong))
    assert truth.dropped == {"a box without an area": 1, "no image has the id 999": 1, "no category has the id 90": 1}
    assert truth.boxes["0.png"].tolist() == [[0, 0, 5, 5]]
    for extra, message in (
        ({"categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "cup"}]}, "Two categories are called cup"),
        ({"images": [{"id": 1}]}, "no COCO file of boxes"),
    ):
        with pytest.raises(NounflowError, match=message):
            read_boxes(coco_file(tmp_path / "boxes.json", boxes_of, **extra))


def test_base_and_novel_names_may_not_overlap() -> None:
    with pytest.raises(ValueError, match="cup: base and novel names overlap"):
        RegionsTestConfig(source="scenes", base=("cup", "dog"), novel=("cup",))
    with pytest.raises(ValueError, match="cup: listed twice"):
        RegionsTestConfig(source="scenes", novel=("cup", "cup"))
    with pytest.raises(ValueError, match="'a photo' needs exactly one"):
        RegionsConfig(prompts=("a photo",))
    with pytest.raises(ValueError, match="needs `weights`"):
        ProposalsConfig(source="rpn")


def test_detections_are_cut_by_score_overlap_and_number() -> None:
    place = boxes((0, 0, 10, 10), (0, 0, 10, 9), (50, 50, 60, 60))
    scores = np.array([[0.9, 0.2], [0.8, 0.0], [0.3, 0.01]])
    found = keep(place, scores, FusionConfig(min_score=0.05))
    assert list(zip(found.rows.tolist(), found.names.tolist(), strict=True)) == [(0, 0), (2, 0), (0, 1)]
    assert len(keep(place, scores, FusionConfig(most=1)).rows) == 1


def test_names_are_embedded_as_the_mean_of_their_prompts() -> None:
    def encode(texts: list[str], progress: bool) -> np.ndarray:
        return np.stack([TEXTS[len(text)] for text in texts])

    embedder: Any = SimpleNamespace(encode_texts=encode)
    found = class_embeddings(embedder, ("cat", "horse"), ("{}", "a {}"), progress=False)
    assert found.shape == (2, DIM)
    assert found[0, 3] == pytest.approx(found[0, 5]) == pytest.approx(2**-0.5)
    assert similarities(TEXTS[:1], TEXTS[:2], 0.01)[0].round(6).tolist() == [1, 0]
