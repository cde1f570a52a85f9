"""The classifier as Python programs use it: any form of images, lists of nouns, embeddings, folders to give away."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_workflow import Project

from nounflow import GenerationConfig, Naming, NounClassifier, NounflowError
from nounflow.config.decoder import DecoderConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.images import list_images
from nounflow.model_folders import find_model
from nounflow.namings import CANDIDATES
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.predictors.loading import load_predictor
from nounflow.schemas.documents import write_document
from nounflow.schemas.hypernyms import AnswerCalibration

KINDS = ["tiny", "tiny_head", "tiny_retrieval", "tiny_fused"]


@pytest.fixture(scope="module")
def classifiers(finished: Project) -> dict[str, NounClassifier]:
    return {run: NounClassifier.load(finished.folder / "results/models" / run) for run in KINDS}


@pytest.fixture
def folder(finished: Project) -> Path:
    return finished.folder / "drawn"


@pytest.fixture
def one(classifiers: dict[str, NounClassifier]) -> NounClassifier:
    return classifiers["tiny"]


def test_one_image_gives_one_answer_and_several_give_a_list(one: NounClassifier, folder: Path) -> None:
    alone = one(folder / "a.png")
    assert isinstance(alone, Naming)
    several = one([str(folder / "a.png"), (folder / "a.png").read_bytes(), Image.open(folder / "a.png")])
    assert [naming.nouns for naming in several] == [alone.nouns] * 3
    assert alone.file == str(folder / "a.png")
    assert several[1].file == ""


def test_a_folder_is_named_whole_and_a_broken_image_costs_no_other(one: NounClassifier, folder: Path) -> None:
    named = list(one.classify(folder))
    assert named == one([Path(naming.file) for naming in named])
    assert [Path(naming.file).relative_to(folder).as_posix() for naming in named] == list_images(folder, any_name=True)
    assert {bool(naming.problem) for naming in named} == {True, False}
    assert all(bool(naming.nouns) != bool(naming.problem) for naming in named)


def test_a_stream_is_read_no_further_than_two_batches_ahead(one: NounClassifier, folder: Path) -> None:
    content, taken = (folder / "a.png").read_bytes(), 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield content

    stream = one.classify(endless())
    assert [next(stream).nouns for _ in range(3)] == [one(content).nouns] * 3
    assert taken <= 64


def test_a_wrong_type_says_what_is_taken(one: NounClassifier, folder: Path) -> None:
    wrongs: list[Any] = [None, 3, [folder / "a.png", 3]]
    for wrong in wrongs:
        with pytest.raises(TypeError, match="is no image"):
            one(wrong)


@pytest.mark.parametrize("count", [0, -1, 2.5, True, "3"])
def test_what_is_no_count_is_refused_and_never_cuts_answers(one: NounClassifier, folder: Path, count: Any) -> None:
    photo = folder / "a.png"
    for asked in (
        lambda: one(photo, top_k=count),
        lambda: one.tags(photo, most=count),
        lambda: next(one.regions(photo, boxes=count)),
        lambda: NounClassifier.load(one.manifest_path, threads=count),
    ):
        with pytest.raises(TypeError, match="whole number from 1 up"):
            asked()


def test_one_text_is_no_list_of_letters(one: NounClassifier, folder: Path) -> None:
    noun = one.nouns[0]
    assert [tag.noun for tag in one.tags(folder / "a.png", labels=noun)[0].nouns] == [noun]
    assert noun in one.synonyms(noun)
    assert [naming.file for naming in one.name("a.png", folder)] == ["a.png"]


def test_a_file_object_is_read_whole_wherever_it_stands(one: NounClassifier, folder: Path) -> None:
    content = io.BytesIO((folder / "a.png").read_bytes())
    assert one(content).nouns == one(content).nouns == one(folder / "a.png").nouns
    with open(folder / "a.png", encoding="latin-1") as text, pytest.raises(TypeError, match="mode 'rb'"):
        one(text)


def test_embeddings_without_a_direction_are_refused(one: NounClassifier) -> None:
    good = one.encode_texts("a photo of a cat")
    for bad in (0 * good, good + 1j, good[0], np.full_like(good, np.nan), np.array([["a"] * good.shape[1]])):
        with pytest.raises(TypeError, match="finite numbers"):
            one.classify_embeddings(bad)


@pytest.mark.parametrize("run", KINDS)
def test_a_noun_listed_in_two_spellings_counts_once(
    classifiers: dict[str, NounClassifier], folder: Path, run: str
) -> None:
    noun, other = classifiers[run].nouns[:2]
    once = classifiers[run].guide([noun, other])
    with pytest.warns(UserWarning, match=f"not apart from others of the list: {noun.upper()}"):
        twice = classifiers[run].guide([noun, noun.upper(), other])
    assert twice.nouns == (noun, other)
    assert twice(folder / "a.png") == once(folder / "a.png")


def test_more_nouns_asked_for_change_none_of_the_first(
    classifiers: dict[str, NounClassifier], folder: Path, tmp_path: Path
) -> None:
    classifiers["tiny_head"].save(tmp_path / "model")
    fitted = {"weight": 0.3, "none": -3, "candidates": 4, "images": 50, "labels": "x", "error_before": 0.5}
    weights = classifiers["tiny_head"].weights_sha256
    document = AnswerCalibration(weights_sha256=weights, error_after=0.1, right=0.5, **fitted)
    write_document(tmp_path / "model/calibration.json", document)
    fitted_one = NounClassifier.load(tmp_path / "model")
    few, all_of_them = (fitted_one(folder / "a.png", top_k=k) for k in (3, len(fitted_one.nouns)))
    assert len(all_of_them.probabilities) > CANDIDATES
    assert all_of_them.probabilities[:3] == few.probabilities
    assert all_of_them.chain == few.chain
    assert list(all_of_them.probabilities) == sorted(all_of_them.probabilities, reverse=True)
    assert sum(all_of_them.probabilities) <= 1 + 1e-9


@pytest.mark.parametrize("run", KINDS)
def test_a_list_of_nouns_guides_every_kind(classifiers: dict[str, NounClassifier], folder: Path, run: str) -> None:
    classifier = classifiers[run]
    listed = list(classifier.nouns[:6])
    guided = classifier.guide(listed)
    found = guided(folder / "a.png", top_k=6)
    assert set(found.nouns) <= set(listed)
    assert guided.nouns == tuple(listed)
    free = dict(zip(*_answer(classifier(folder / "a.png", top_k=len(classifier.nouns))), strict=True))
    for noun, probability in zip(*_answer(found), strict=True):  # its own probabilities, not scaled to the list
        if noun in free:
            assert probability == pytest.approx(free[noun], rel=1e-2, abs=1e-5)
    assert classifier(folder / "a.png").nouns == classifier(folder / "a.png").nouns  # the unguided one is as it was


def _answer(naming: Naming) -> tuple[tuple[str, ...], tuple[float, ...]]:
    return naming.nouns, naming.probabilities


def test_a_decoder_takes_nouns_beyond_its_lexicon_that_it_can_spell(finished: Project) -> None:
    manifest = load_predictor(finished.folder / "results/models/tiny/manifest.json", "cpu").manifest
    words = load_target_tokenizer(EmbedderConfig(spec=manifest.embedder.spec))
    nouns = ("ice cream", "polar bear", "dog")
    vocabulary = TargetVocabulary.build(nouns, words.target_tokens(nouns))
    manifest = manifest.model_copy(update={"nouns": nouns, "tokens": vocabulary.as_dict()})
    config = DecoderConfig.model_validate(manifest.settings["decoder"])
    model = ObjectDecoder(manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, config)
    predictor = DecoderPredictor(manifest, dict(model.state_dict()), "cpu", GenerationConfig())
    guided, left_out = predictor.guided_by(["ice bear", "cream", "dog", "cat", "ice ice cream bear"])
    assert left_out == ["cat", "ice ice cream bear"]
    found = guided.answer(np.eye(3, manifest.embedder.dim, dtype=np.float32), 4)
    for texts, ids in zip(found.texts, found.nouns.tolist(), strict=True):
        assert set(texts) == {"ice bear", "cream", "dog", ""}
        assert [i for text, i in zip(texts, ids, strict=True) if text == "dog"] == [2]
        assert sum(i == -1 for i in ids) == 3  # no nouns of the lexicon, and the empty place


def test_nouns_that_cannot_be_said_are_named(one: NounClassifier) -> None:
    with pytest.warns(UserWarning, match="zyzzogeton"):
        assert one.guide([one.nouns[0], "zyzzogeton of 10 unlikely letters §"]).nouns == (one.nouns[0],)
    with pytest.raises(NounflowError, match="empty"):
        one.guide([" "])
    with pytest.raises(NounflowError, match="no noun that this model can say"):
        one.guide(["§§"])
    with pytest.raises(TypeError, match="int"):
        one.guide([one.nouns[0], 3])  # type: ignore[list-item]


@pytest.mark.parametrize("run", KINDS)
def test_embeddings_give_what_their_images_give(classifiers: dict[str, NounClassifier], folder: Path, run: str) -> None:
    classifier = classifiers[run]
    vectors = classifier.encode_images([folder / "a.png"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    expected = classifier(folder / "a.png")
    for form in (vectors, 7 * vectors, torch.from_numpy(vectors), vectors.tolist()):
        (found,) = classifier.classify_embeddings(form)
        assert found.nouns == expected.nouns
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    for wrong in (vectors[:, :3], vectors[0], vectors * np.nan):
        with pytest.raises(TypeError, match="Embeddings are"):
            classifier.classify_embeddings(wrong)


def test_texts_lie_in_the_space_of_the_images(one: NounClassifier, folder: Path) -> None:
    texts = one.encode_texts(["a photo of a cat", "a photo of a car"])
    assert texts.shape == (2, one.encode_images(folder / "a.png").shape[1])
    with pytest.raises(NounflowError, match="cannot be read"):
        one.encode_images(folder / "broken.jpg")


def test_several_threads_get_the_answers_of_one(one: NounClassifier, folder: Path) -> None:
    alone = list(one.classify(folder))
    barrier = threading.Barrier(4)

    def name(_number: int) -> list[Naming]:
        barrier.wait()
        return list(one.classify(folder))

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(name, range(4)):
            assert [naming.nouns for naming in found] == [naming.nouns for naming in alone]


@pytest.mark.parametrize("run", KINDS)
def test_a_saved_model_answers_alike_wherever_it_lies(
    classifiers: dict[str, NounClassifier], folder: Path, tmp_path: Path, run: str
) -> None:
    classifiers[run].save(tmp_path / "out/model")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    moved = NounClassifier.from_pretrained(tmp_path / "elsewhere/model")
    assert moved(folder / "a.png") == classifiers[run](folder / "a.png")
    card = (tmp_path / "elsewhere/model/README.md").read_text()
    assert f"{len(classifiers[run].nouns):,}" in card
    with pytest.raises(NounflowError, match="not empty"):
        moved.save(tmp_path / "elsewhere/model")


def test_a_model_is_found_by_its_name_in_the_project_and_below_the_models_home(
    one: NounClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.save(tmp_path / "mine")
    monkeypatch.setenv("NOUNFLOW_MODELS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find_model("mine").resolve() == tmp_path / "mine/manifest.json"
    one.save(tmp_path / "results/models/mine")
    (tmp_path / "mine/manifest.json").unlink()
    assert find_model("mine").resolve() == tmp_path / "results/models/mine/manifest.json"
    with pytest.raises(NounflowError, match="mine"):
        find_model("yours")


def test_decoding_settings_may_be_named(finished: Project, folder: Path) -> None:
    run = finished.folder / "results/models/tiny"
    exact = NounClassifier.load(run, generation="exact_k5")
    found: Any = exact(folder / "a.png", top_k=5)
    wide = NounClassifier.load(run, generation="beam_k400")(folder / "a.png", top_k=5)
    assert found.nouns == wide.nouns


@pytest.mark.parametrize("run", KINDS)
def test_an_answer_comes_with_what_lies_above_it(
    classifiers: dict[str, NounClassifier], folder: Path, run: str, tmp_path: Path
) -> None:
    found: Any = classifiers[run](folder / "a.png")
    names, sums = zip(*found.chain, strict=True)
    assert names[0] == found.nouns[0]
    assert list(sums) == sorted(sums)
    assert sums[0] >= found.probabilities[0]
    assert found.sure(0.0) == found.chain[0]
    assert found.sure(sums[-1]) in found.chain
    assert found.sure(1.01) is None
    classifiers[run].save(tmp_path / "given")  # a folder far from any lexicon
    assert NounClassifier.load(tmp_path / "given")(folder / "a.png") == found


def test_synonyms_are_one_answer_on_request(one: NounClassifier, folder: Path) -> None:
    every: Any = one(folder / "a.png", top_k=10)
    merged: Any = one.merged()(folder / "a.png", top_k=10)
    assert set(merged.nouns) <= set(every.nouns)
    assert sum(merged.probabilities) == pytest.approx(sum(every.probabilities))
    assert list(merged.probabilities) == sorted(merged.probabilities, reverse=True)


def test_labelled_photographs_calibrate_a_model(
    one: NounClassifier, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nounflow.cli import main

    one.save(tmp_path / "model")
    photos = tmp_path / "photos"
    photos.mkdir()
    rows = ["file\tgold"]
    for i in range(60):
        image = Image.effect_noise((64, 64), 10 + 3 * i).convert("RGB")
        image.save(photos / f"{i}.png")
        rows.append(f"{i}.png\tnothing of these")
    (tmp_path / "labels.tsv").write_text("\n".join(rows) + "\n")
    before: Any = NounClassifier.load(tmp_path / "model")(photos / "1.png")
    main(["calibrate", str(photos), "--labels", str(tmp_path / "labels.tsv"), "--run", str(tmp_path / "model")])
    assert "60 images, the first noun is right for 0.0%" in capsys.readouterr().out
    after: Any = NounClassifier.load(tmp_path / "model")(photos / "1.png")
    assert after.nouns == before.nouns
    assert sum(after.probabilities) < 0.2  # nothing was ever right
    plain: Any = NounClassifier.load(tmp_path / "model", calibrated=False)(photos / "1.png")
    assert plain.nouns == before.nouns
    assert plain.probabilities == pytest.approx(before.probabilities, rel=1e-4)  # of another number of threads
    words = ["calibrate", str(photos), "--labels", str(tmp_path / "labels.tsv"), "--run", str(tmp_path / "model")]
    for i in range(11):
        (photos / f"{i}.png").write_bytes(b"broken")
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr().err
    assert "unreadable images: 11, such as 0.png: " in said
    assert "49 labelled images are there, and 50 are needed" in said
    (photos / "59.png").unlink()
    with pytest.raises(SystemExit):
        main(words)
    assert "labels that match no image: 1, such as 59.png" in capsys.readouterr().err
    for done in ("removed", "there is no"):
        main(["calibrate", "--remove", "--run", str(tmp_path / "model")])
        assert capsys.readouterr().out == f"{done} {tmp_path / 'model/calibration.json'}\n"
    assert not NounClassifier.load(tmp_path / "model").calibrated_on
    with pytest.raises(SystemExit):
        main(["calibrate", str(photos), "--run", str(tmp_path / "model")])
    assert "what do they show?" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["tiny", "tiny_head"])
def test_a_pickled_classifier_answers_alike_and_is_the_same_model(
    classifiers: dict[str, NounClassifier], folder: Path, run: str, tmp_path: Path
) -> None:
    chosen = classifiers[run].guide(classifiers[run].nouns[:5]).merged()
    again = pickle.loads(pickle.dumps(chosen))
    assert again(folder / "a.png") == chosen(folder / "a.png")
    assert again.nouns == chosen.nouns
    classifiers[run].save(tmp_path / "model")
    kept = pickle.dumps(NounClassifier.load(tmp_path / "model"))
    other = "tiny_head" if run == "tiny" else "tiny"
    shutil.rmtree(tmp_path / "model")
    classifiers[other].save(tmp_path / "model")
    with pytest.raises(NounflowError, match="another one than when"):
        pickle.loads(kept)


def test_a_fork_says_that_it_would_wait_for_ever(
    one: NounClassifier, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = one(folder / "a.png")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert one(folder / "a.png") == alone
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(NounflowError, match="forked"):
        one(folder / "a.png")


def test_settings_that_nothing_uses_are_refused(finished: Project) -> None:
    models = finished.folder / "results/models"
    with pytest.raises(NounflowError, match="Only a decoder"):
        NounClassifier.load(models / "tiny_head", generation="beam_k5")
    with pytest.raises(NounflowError, match="revision"):
        NounClassifier.load(models / "tiny", revision="main")
    with pytest.raises(TypeError, match="not int"):
        NounClassifier.load(models / "tiny", generation=5)  # type: ignore[arg-type]
    assert NounClassifier.load(models / "tiny", torch.device("cpu")).device == "cpu"  # type: ignore[arg-type]


def test_what_numpy_or_a_tokenizer_cannot_take_is_taken_or_named(one: NounClassifier, folder: Path) -> None:
    vectors = torch.from_numpy(one.encode_images(folder / "a.png"))
    assert one.classify_embeddings(vectors.bfloat16())[0].nouns == one.classify_embeddings(vectors)[0].nouns
    for texts in ([1], ["\ud83d"]):
        with pytest.raises(TypeError, match="strings of whole"):
            one.encode_texts(texts)  # type: ignore[arg-type]


def test_a_sure_noun_is_sure_where_nothing_is_known_above_it() -> None:
    found = Naming("", ("labradoodle", "dog"), (0.9, 0.05), unknown=("labradoodle",))
    assert found.sure(0.8) == ("labradoodle", 0.9)
    assert found.sure(0.95) is None
    assert Naming("", (), (), "broken").sure(0) is None


def test_a_fused_model_that_was_copied_alone_names_its_missing_part(finished: Project, tmp_path: Path) -> None:
    shutil.copytree(finished.folder / "results/models/tiny_fused", tmp_path / "tiny_fused")
    with pytest.raises(NounflowError, match="part of this fused model"):
        NounClassifier.load(tmp_path / "tiny_fused")
