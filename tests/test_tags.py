"""Several nouns an image: golden values of scores, losses and measures; label files; training without unseen labels."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from shard_material import identity, unit_rows
from sklearn.metrics import average_precision_score

from nounflow.cli import main
from nounflow.config.open_set import OpenSetConfig
from nounflow.config.tags import TagMethodConfig, TagsConfig
from nounflow.config.training import TrainingConfig
from nounflow.errors import NounflowError
from nounflow.open_set.gate import Verdict
from nounflow.predictors.protocol import Answers
from nounflow.report.tags import groups
from nounflow.schemas.documents import write_document
from nounflow.schemas.hypernyms import NounHypernyms
from nounflow.schemas.tag_labels import TagLabels, read_tag_labels
from nounflow.schemas.tags import BASELINE, FREE, GATED, TagRow, TagScores
from nounflow.scoring.intervals import percentiles
from nounflow.tags.adapter import load_adapter
from nounflow.tags.comparison import compare
from nounflow.tags.evaluation import Images, free_row, table, ways
from nounflow.tags.list_free import Tag, candidates, cut, ranked
from nounflow.tags.losses import Marks, asymmetric, hinge, ranking
from nounflow.tags.measures import LabelMeans, SetCounts, average_precision, best_threshold, chosen, samples
from nounflow.tags.naming import Tagger, calibrated_threshold
from nounflow.tags.scores import best_local, dual_stream, local_softmax, sparc, splice, standardised
from nounflow.tags.texts import LabelList, NounVectors
from nounflow.tags.training import composed, members, train_on_images


def test_dual_stream_as_published() -> None:
    patches = np.array([[[1, 0], [0.5, 0.5], [0, 1], [-1, 0]]])
    labels = np.array([[1, 0], [0, 1], [1, 1]])
    local, whole = patches @ labels.T, np.array([[0.6, 0.2]]) @ labels.T
    assert best_local(local, 2)[0] == pytest.approx([0.75, 0.75, 1])
    assert dual_stream(whole, local, 2, "label_l2")[0] == pytest.approx([0.551422, 0.355306, 0.735229], abs=1e-6)
    assert dual_stream(whole, local, 2, "none")[0] == pytest.approx([0.675, 0.475, 0.9])
    assert dual_stream(whole, local, 99, "none").shape == (1, 3), "fewer units than `best`"


def test_the_ranking_loss_as_published() -> None:
    scores = torch.tensor([[0.5, 0.2, -0.1, 0.4]])
    marks = Marks.of(np.array([[1, -1, 0, -1]]))
    assert ranking(scores, marks).tolist() == pytest.approx([0.8])
    assert hinge(scores, marks, 0.2).tolist() == pytest.approx([0.05])

    small = torch.nn.functional.normalize(torch.rand(5, 40), dim=-1)
    values = np.where(np.random.default_rng(0).random((5, 40)) < 0.2, 1, -1)
    values[:, :2] = [1, -1]
    means = [small[i][values[i] < 0].mean() - small[i][values[i] > 0].mean() for i in range(5)]
    assert ranking(small, Marks.of(values)).numpy() == pytest.approx(1 + torch.stack(means).numpy(), abs=1e-5), (
        "every pair violates the margin of 1, so the loss is linear"
    )


def test_losses_leave_unknown_labels_out() -> None:
    values = np.array([[1, -1, 0], [-1, 1, 1]])
    for loss in (ranking, lambda x, marks: hinge(x, marks, 1.0), asymmetric):
        logits = torch.zeros(2, 3, requires_grad=True)
        loss(logits, Marks.of(values)).sum().backward()
        assert logits.grad is not None
        assert logits.grad[0, 2] == 0
        assert (logits.grad[:, :2].sign() == torch.tensor([[-1, 1], [1, -1]])).all()


def test_average_precision_with_unknown_labels() -> None:
    scores, truth = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1, 0, -1, 1, -1])
    assert average_precision(scores, truth) == pytest.approx([0.833333], abs=1e-6)
    assert average_precision(scores, np.where(truth == 0, -1, truth)) == pytest.approx([0.75])
    twice = np.array([[1, 1, 1, 1, 1], [2, 0, 0, 0, 1]])
    assert average_precision(scores, truth, twice) == pytest.approx([0.833333, 1.0], abs=1e-6)


def test_the_order_of_images_and_labels_of_one_score_says_nothing() -> None:
    rng = np.random.default_rng(0)
    scores, truth = np.round(rng.random(60), 1), np.where(rng.random(60) < 0.3, 1, -1)
    assert average_precision(scores, truth) == pytest.approx([average_precision_score(truth > 0, scores)])
    first = np.array([1, 1, -1, -1, -1, -1])  # of a run that lacks the label, in a folder for each label
    assert average_precision(np.full(6, -1e30), first) == average_precision(np.full(6, -1e30), first[::-1])
    same = np.array([[0.9, 0, 0, 0, 0]])
    threshold = best_threshold(same, np.array([[1, 1, 1, -1, -1]]))
    assert (same > threshold).all(), "F1 of all five is 0.75, of the first alone 0.5; the zeros go together"
    assert best_threshold(np.full((1, 3), -np.inf), np.array([[1, -1, -1]])) == 0


def test_f1_at_2() -> None:
    scores = np.array([[0.9, 0.1, 0.8, 0.3], [0.2, 0.7, 0.6, 0.1]])
    truth = np.array([[1, -1, 0, 1], [-1, 1, 1, -1]])
    assert SetCounts.of(chosen(scores, 2), truth).figures()[0] == pytest.approx([0.75, 0.75, 0.75])


def test_both_conventions_of_the_mean() -> None:
    truth, scores = np.array([[1, -1], [-1, -1]]), np.array([[0.9, 0.1], [0.1, 0.2]])
    means = LabelMeans.of(scores, truth, samples(2, 1))
    assert (means.of_all, means.of_positive) == (0.5, 1.0)


def test_the_threshold_of_the_largest_f1() -> None:
    scores, truth = np.array([[0.9, 0.2], [0.6, 0.4]]), np.array([[1, -1], [1, -1]])
    assert 0.4 < best_threshold(scores, truth) < 0.6


def test_scores_find_what_stands_in_one_local_view() -> None:
    axes = np.eye(32, dtype=np.float32)
    labels, local = axes[:6], axes[None, [0, 10, 11, 12]]
    whole = local.mean(axis=1)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    assert local_softmax(whole @ labels.T, local @ labels.T, 0.05)[0].argmax() == 0
    assert splice(local[0], labels, 0.05)[0].argmax() == 0
    assert splice(local[0], labels, 5.0).sum() == 0, "a large penalty leaves nothing"
    many = unit_rows(40, 7, 32) @ labels.T
    assert abs(standardised(many).mean(axis=0)).max() < 1e-6
    assert sparc(many, labels).shape == (40, 6)


def tiny_images(files: int = 60) -> Images:
    """Images near the sum of two of six labels, of which the last two are unseen."""
    rng = np.random.default_rng(3)
    labels = unit_rows(6, 1, 16)
    values = np.full((files, 6), -1, dtype=np.int8)
    for row in values:
        row[rng.choice(6, size=2, replace=False)] = 1
    turned = labels @ np.linalg.qr(rng.standard_normal((16, 16)))[0] * 0.6 + labels * 0.4  # images lie elsewhere
    noisy = ((values > 0) @ turned)[:, None] + 0.3 * rng.standard_normal((files, 5, 16))
    units = (noisy / np.linalg.norm(noisy, axis=2, keepdims=True)).astype(np.float32)
    names = tuple(f"{i:02}.png" for i in range(files))
    splits = tuple("train" if i < 30 else "val" if i < 40 else "test" for i in range(files))
    truth = TagLabels(names, tuple("abcdef"), values, splits, frozenset("abcd"))
    return Images(truth, units[:, 0], units[:, 1:], labels)


def test_unseen_labels_never_reach_training_and_seen_ones_gain(tmp_path: Path) -> None:
    images = tiny_images()
    embedder: Any = SimpleNamespace(identity=identity(dim=16), device="cpu")
    training = TrainingConfig(samples=1500, batch_size=30, evaluations=1, learning_rate=1e-2, precision="fp32")
    config = TagMethodConfig(how="adapter_offset", rank=8, training=training, temperature=0.2)

    def train(name: str, truth: TagLabels) -> Any:
        where = tmp_path / name / "adapter.json"
        seen_as = Images(truth, images.whole, images.local, images.labels)
        manifest = train_on_images(config, seen_as, embedder, (), "adapter", where, 1)
        assert manifest.labels == tuple("abcd")
        return load_adapter(where, embedder)[1]

    adapter = train("one", images.truth)
    other_values = images.truth.values.copy()
    other_values[:, 4:] *= -1  # what is said of unseen labels
    other = TagLabels(*(images.truth.files, images.truth.labels, other_values, images.truth.splits, images.truth.seen))
    again = train("two", other)
    assert all(torch.equal(a, b) for a, b in zip(adapter.parameters(), again.parameters(), strict=True))

    plain = ways(images, 2, 0.2, 0.25, unit_rows(3, 9, 16))
    moved = ways(images.moved(adapter), 2, 0.2, 0.25, unit_rows(3, 9, 16))[BASELINE]
    rows = table(images.truth, {BASELINE: ("nothing", plain[BASELINE]), "adapter": ("seen labels", moved)}, 1)
    found = {(row.method, row.protocol): row.figures for row in rows}
    assert set(found) == {(m, p) for m in (BASELINE, "adapter") for p in ("all labels", "unseen labels")}
    both = found["adapter", "all labels"]
    assert both["map"] > found[BASELINE, "all labels"]["map"]
    assert both["map_minus_low"] <= both["map_minus"] <= both["map_minus_high"]
    assert {row.labels for row in rows if row.protocol == "unseen labels"} == {2}


def test_a_set_without_images_to_learn_from_or_to_score_is_named(tmp_path: Path) -> None:
    values = np.array([[1, -1], [-1, 1], [1, -1], [-1, 1]], np.int8)

    def images(split: str, seen: str = "") -> Images:
        truth = TagLabels(tuple("abcd"), ("cat", "dog"), values, (split,) * 4, frozenset(filter(None, [seen])))
        return Images(truth, unit_rows(4), unit_rows(8).reshape(4, 2, -1), unit_rows(2))

    embedder: Any = SimpleNamespace(identity=identity(), device="cpu")
    for each in (images("test", "cat"), images("val", "cat"), images("train"), images("train", "cats")):
        with pytest.raises(NounflowError, match="nothing to train mine on: no image of the split train"):
            train_on_images(TagMethodConfig(), each, embedder, ("{}",), "mine", tmp_path / "adapter.json", 1)
    lexicon = pl.DataFrame({"noun": ["cat"], "canon": ["cat"], "group": ["c"]})
    with pytest.raises(NounflowError, match="No image is of the split test"):
        compare("set", images("train"), np.zeros((4, 2, 4)), TagsConfig(), {}, {}, {}, lexicon, embedder, "tiles")


def test_texts_of_a_label_hold_it_once() -> None:
    for template in ("a photo", "{} or {}"):
        with pytest.raises(ValueError, match=r"needs exactly one \{\}"):
            TagsConfig(templates=(template,))
        with pytest.raises(ValueError, match=r"needs exactly one \{\}"):
            OpenSetConfig(prompts=(template,))


class Saying:
    """A predictor that names row i with the nouns of its list."""

    def __init__(self, *rows: tuple[str, ...]) -> None:
        self.rows = rows

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        texts = [list(row) + [""] * (top_k - len(row)) for row in self.rows]
        probabilities = np.array([[0.9 * 0.8**i - 0.01 * j for j in range(top_k)] for i in range(len(texts))])
        return Answers(np.zeros((len(texts), top_k)), texts, probabilities, probabilities)


def test_without_a_list_nouns_are_merged_and_keep_the_box_that_said_them() -> None:
    predictor: Any = Saying(("sofa",), ("cat", "couch"), ("owl",))
    whole, local = unit_rows(1, 1), unit_rows(2, 2)[None]
    found = candidates(predictor, whole, local, 2, {"sofa": "s1", "couch": "s1"})
    assert [(tag.noun, tag.box) for tag in found[0]] == [("sofa", 0), ("cat", 1), ("owl", 2)]
    vectors = {"cat": local[0, 0], "owl": -local[0, 1], "sofa": whole[0]}
    tags = ranked(found, whole, local, 1, lambda nouns: np.stack([vectors[noun] for noun in nouns]))
    assert [tag.noun for tag in tags[0]].index("owl") == 2
    assert [len(row) for row in cut(tags, 9.0)] == [1], "no image stays without a name"
    assert len(cut(tags, -9.0, 2)[0]) == 2


def test_nouns_beyond_the_labels_count_as_wrong() -> None:
    truth = TagLabels(("a", "b"), ("cat", "dog"), np.array([[1, -1], [1, 1]], np.int8), ("test",) * 2, frozenset())
    tags = [[Tag("cat", 0.9, 1, 0), Tag("tree", 0.8, 1, 1)], [Tag("dog", 0.9, 1, 0)]]
    scores = np.array([[0.9, 0.1], [0.8, 0.9]])
    base = table(truth, {BASELINE: ("nothing", lambda rows, columns: scores[np.ix_(rows, columns)])}, 1)[0]
    columns = {"cat": [0], "dog": [1]}
    row = free_row(truth, "run", tags, lambda noun: columns.get(noun, []), base, scores, 1)
    assert (row.figures["p_3"], row.figures["r_3"]) == (pytest.approx(66.67), pytest.approx(66.67))


def test_label_files_of_several_kinds(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,present,unknown\na.png,cat;dog,owl\n./b.png,owl,\ngone.png,cat,\n")
    found = read_tag_labels(tmp_path / "labels.csv", ["a.png", "b.png"])
    assert found.labels == ("cat", "dog", "owl")
    assert found.values.tolist() == [[1, 1, 0], [-1, -1, 1]]
    assert set(found.splits) <= {"val", "test"}
    assert found.problems == ("images that are missing from the folder: 1, such as gone.png",)

    nus = tmp_path / "nus"
    (nus / "AllLabels").mkdir(parents=True)
    (nus / "Concepts81.txt").write_text("cat\nbird\n")
    (nus / "Imagelist.txt").write_text("x\\a.jpg\nx\\b.jpg\n")
    (nus / "AllLabels/Labels_cat.txt").write_text("1\n0\n")
    (nus / "AllLabels/Labels_bird.txt").write_text("0\n0\n")
    found = read_tag_labels(nus, ["x/a.jpg", "x/b.jpg"])
    assert found.values.tolist() == [[1, -1], [-1, -1]]
    assert found.problems == ("labels that no image has: 1, such as bird",)
    (nus / "AllLabels/Labels_bird.txt").write_text("0\n")
    with pytest.raises(NounflowError, match="labels of bird have 1 lines for 2 images"):
        read_tag_labels(nus, ["x/a.jpg"])

    for text, message in (("file\na.png\n", "columns file and present"), ("file,present\nc.png,x\n", "No image")):
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(NounflowError, match=message):
            read_tag_labels(tmp_path / "labels.csv", ["a.png"])
    with pytest.raises(NounflowError, match="Unknown kind of label file"):
        read_tag_labels(tmp_path / "labels.txt", ["a.png"])


class Looking:
    """An embedder whose vectors say where an image is bright: the mean of its red, green and blue."""

    identity, dim, device = identity(dim=3), 3, "cpu"

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((4, 4)), dtype=np.float32) + 1e-3

    def encode_images(self, images: list[np.ndarray]) -> np.ndarray:
        means = np.stack([image.mean(axis=(0, 1)) for image in images])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)

    def encode_texts(self, texts: list[str], progress: bool = True) -> np.ndarray:
        place = {"red": 0, "green": 1, "blue": 2}
        found = np.eye(3, dtype=np.float32)
        return np.stack([next((found[at] for word, at in place.items() if word in text), -found[0]) for text in texts])


def tagger(predictor: Any = None, gate: Any = None) -> Tagger:
    embedder: Any = Looking()
    return Tagger(predictor, embedder, NounVectors(embedder), {}, gate)


def picture() -> Image.Image:
    image = Image.new("RGB", (60, 60), (255, 0, 0))
    image.paste((0, 255, 0), (40, 40, 60, 60))
    return image


# red and scarlet mean the same; green is a kind of tone; the model's noun blue lies below nothing
NOUNS = ("red", "scarlet red", "green", "blue")
ABOVE = NounHypernyms(
    names={"r": "red", "g": "green", "t": "tone", "b": "blue"},
    chains=(("r",), ("r",), ("g", "t"), ("b",)),
    groups=("r", "r", "green", "blue"),
)


def test_each_noun_of_a_list_gets_its_box() -> None:
    labels = LabelList.of(["red", "green", "blue"], (), None)
    found = tagger()(picture(), labels, 2, None)
    assert [each.noun for each in found] == ["red", "green"]
    assert found[1].box == (40, 40, 60, 60), "the tile that holds it"
    assert found[0].box is not None
    one = Image.new("RGB", (9, 9), (0, 0, 255))  # of one colour: no tile says more than the whole
    only = tagger()(one, labels, 3, 0.9)
    assert [(each.noun, each.box) for each in only] == [("blue", None)]


def test_a_label_gets_the_best_score_of_the_nouns_below_it() -> None:
    labels = LabelList.of(["blue", "tone"], NOUNS, ABOVE)
    assert [[labels.texts[i] for i in row] for row in labels.rows] == [["blue"], ["tone", "green"]]
    found = tagger()(picture(), labels, 2, None)
    assert [(each.noun, each.by) for each in found] == [("tone", "green"), ("blue", "")]
    assert found[0].box == (40, 40, 60, 60)
    alone = LabelList.of(["blue", "tone"], NOUNS, None)
    assert tagger()(picture(), alone, 1, None)[0].noun == "blue", "nothing is known of what lies above"


def test_a_list_with_synonyms_and_repeated_labels_is_told() -> None:
    labels = LabelList.of([" red", "blue", "scarlet red", "blue", ""], NOUNS, ABOVE)
    assert labels.labels == ("red", "blue", "scarlet red")
    assert labels.problems == ("blue stands there 2 times", "red = scarlet red")
    assert [labels.texts[i] for i in labels.rows[0]] == ["red", "scarlet red"], "each speaks for the other"


def test_views_whose_answer_a_gate_does_not_believe_put_nothing_forward() -> None:
    predictor: Any = Saying(*[("green",)] * 13, ("red",))
    predictor.width = 1

    def gate(vectors: np.ndarray, nouns: Any) -> list[Verdict]:
        assert nouns[13] == ["red"]
        return [Verdict(0.0, 0.5, accepted=bool(vector[1] > 0.9)) for vector in vectors]

    free = tagger(predictor)(picture(), None, 5, None)
    assert {each.noun for each in free} == {"red", "green"}
    assert [each.noun for each in tagger(predictor, gate)(picture(), None, 5, None)] == ["red"]
    grey = Image.new("RGB", (9, 9), (90, 90, 90))
    assert tagger(predictor, gate)(grey, None, 5, None) == (), "nothing is sure"


def test_the_calibrated_threshold_lies_with_the_projects_results(tmp_path: Path) -> None:
    manifest = tmp_path / "results/models/small/manifest.json"
    assert calibrated_threshold(manifest, "e", False, False) is None
    rows = [
        TagRow(set="scenes", embedder="e", local="tiles", method=method, needs="", protocol="all labels", images=9,
               labels=3, figures={"threshold": threshold})
        for method, threshold in ((BASELINE, 0.5), (f"small: {FREE}", 0.4), (f"small: {GATED}", 0.3))
    ]  # fmt: skip
    (tmp_path / "results").mkdir()
    write_document(tmp_path / "results/tags.json", TagScores(rows=tuple(rows), problems={}, seen={}))
    asked = [(True, False), (False, False), (False, True)]
    assert [calibrated_threshold(manifest, "e", *each) for each in asked] == [0.5, 0.4, 0.3]
    assert calibrated_threshold(manifest, "another", True, False) is None


def test_the_command_refuses_what_does_not_go_with_several_nouns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(SystemExit):
        main(["name", str(tmp_path / "a.png"), "--several", "--guide", "x.txt"])
    assert "--several does not go with --guide" in capsys.readouterr().err


def test_the_report_shows_a_table_for_each_protocol() -> None:
    figures = {"map": 36.57, "map_low": 35.4, "map_high": 39.6, "map_minus": -1.0, "map_minus_low": -2.0,
               "map_minus_high": 0.1}  # fmt: skip
    rows = [
        TagRow(set="scenes", embedder="e", local="tiles", method="zero_shot", needs="nothing", protocol=protocol,
               images=9, labels=3, figures=figures)
        for protocol in ("all labels", "unseen labels")
    ]  # fmt: skip
    shown = groups(TagScores(rows=tuple(rows), problems={}, seen={"scenes": 2}))
    assert [group["title"] for group in shown] == ["scenes, all labels", "scenes, unseen labels"]
    cells = shown[0]["rows"][0]["cells"]
    assert cells[0] == ("36.6", "[35.4, 39.6]")
    assert cells[3] == ("-1.0", "[-2.0, +0.1]")


def test_composed_texts_stand_for_several_things() -> None:
    texts = torch.eye(8)
    rows = np.array([1, 9, 9, 9, 3, 9, 9, 9])
    whole, local = composed(texts, rows)
    assert members(rows).tolist() == [[True, True, False, False], [True] * 4]
    assert whole[0].numpy() == pytest.approx([0.5**0.5] * 2 + [0] * 6)
    assert torch.equal(local[1], texts[4:])
    assert torch.equal(local[0, 2], whole[0]), "the places of texts that do not count"


def test_the_interval_of_a_mean_holds_the_mean_where_labels_have_one_image_each() -> None:
    rng = np.random.default_rng(0)
    truth = np.where(np.arange(40)[:, None] % 40 == np.arange(30)[None], 1, -1)
    means = LabelMeans.of(rng.random((40, 30)) + 0.4 * (truth > 0), truth, samples(40, 1))
    low, high = percentiles(means.draws)
    assert low < means.of_positive < high
    assert means.draws.mean() == pytest.approx(means.of_positive)
