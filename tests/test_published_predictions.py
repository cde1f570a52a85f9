"""Predictions in the published layout: out, in, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nounflow.cli import main
from nounflow.errors import DamagedFileError
from nounflow.schemas.documents import read_document
from nounflow.schemas.predictions import Predictions
from nounflow.schemas.published_predictions import from_published

KEYS = {"version", "model", "model_path", "model_dir", "model_name", "model_cfg", "infer_cfg", "guide_targets"}
KEYS |= {"vocab_targets", "samples", "predictions"}
DECODING = {"gen_cfg", "valid_guide", "valid_vocab", "valid", "invalid", "pred", "score", "result"}


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    part = {
        "gen_cfg": {"method": "beam", "topk": 2, "name": "beam_k2"},
        **{name: [100.0, 50.0] for name in ("valid_guide", "valid_vocab", "valid")},
        "invalid": [0.0, 50.0],
        "pred": [["cat", "dog"], ["zebra", "xyz"]],
        "score": [[-0.1, -2.0], [-0.5, -3.0]],
        "result": [[1, 1], [1, 3]],
    }
    document = {
        **{"version": 1, "model": "d/f.train", "model_path": "/d/f.train", "model_dir": "d", "model_name": "f.train"},
        **{"model_cfg": {}, "infer_cfg": {}, "guide_targets": ["cat", "dog"], "vocab_targets": ["cat", "dog", "zebra"]},
        **{"samples": ["a.png", "b.png"], "predictions": {"beam_k2": part}},
    }
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(document))
    return path


def test_what_came_in_goes_out_as_it_was(theirs: Path, tmp_path: Path) -> None:
    ours, back = tmp_path / "ours.json", tmp_path / "back.json"
    main(["predictions", "import", str(theirs), "--run", "other", "--image-set", "photos", "--out", str(ours)])
    found = read_document(Predictions, ours, "predictions")
    assert (found.run, found.image_set) == ("other", "photos")
    assert found.predictions["beam_k2"].probability[0] == pytest.approx((0.904837, 0.135335), abs=1e-5)
    main(["predictions", "export", str(ours), "--out", str(back)])
    document = json.loads(back.read_text())
    assert document == json.loads(theirs.read_text())
    assert set(document) == KEYS
    assert set(document["predictions"]["beam_k2"]) == DECODING


def test_a_missing_field_is_named(theirs: Path) -> None:
    document = json.loads(theirs.read_text())
    del document["guide_targets"]
    theirs.write_text(json.dumps(document))
    with pytest.raises(DamagedFileError, match="guide_targets"):
        from_published(theirs, "other", "photos")
