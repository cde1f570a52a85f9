"""Views of images: boxes and a vector for each, every image decoded once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from tiny_models import VISION, open_clip_folder

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.image_files import embed_image_files
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.views import clipped, embed_views, tile_boxes
from nounflow.errors import NounflowError
from nounflow.images import open_image
from nounflow.schemas.boxes import PROPOSALS, read_proposals
from nounflow.schemas.tables import write_table
from nounflow.store.shard_writing import write_shard
from nounflow.store.shards import read_boxes, read_shard


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """A small open_clip model with random weights."""
    folder = open_clip_folder(tmp_path_factory.mktemp("models") / "clip")
    return load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{folder}", precision="fp32"), device="cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures of several shapes, one of a single pixel, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(20):
        size = (1, 1) if i == 3 else (30 + 7 * i, 90 - 3 * i)
        pixels = np.random.default_rng(i).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    (folder / "99.png").write_text("no picture")
    return folder


def test_an_image_is_decoded_once_for_all_its_views(clip: Embedder, pictures: Path) -> None:
    files = sorted(path.name for path in pictures.iterdir())
    decoded: Counter[str] = Counter()

    def opened(path: Path) -> Image.Image:
        decoded[path.name] += 1
        return open_image(path)

    proposals = {"00.png": np.array([[2, 3, 20, 30, 0.5], [25, 60, 400, 500, 0.9], [-9, -9, -1, -1, 0.1]])}
    found = embed_views(
        clip, pictures, files, ("whole", "tiles", "regions", "tokens"), 2,
        proposals=proposals, opened=opened, quiet=True,
    )  # fmt: skip
    assert decoded == dict.fromkeys(files, 1)
    assert {view: len(part.vectors) for view, part in found.items()} == {
        "whole": 20, "tiles": 260, "regions": 2, "tokens": 320,
    }  # fmt: skip
    assert all(list(part.unreadable) == ["99.png"] for part in found.values())
    assert found["regions"].boxes.tolist() == [[0, 2, 3, 20, 30, 0.5], [0, 25, 60, 30, 90, pytest.approx(0.9)]]
    tiles = found["tiles"]
    assert np.bincount(tiles.boxes[:, 0].astype(int)).tolist() == [13] * 20

    plain = embed_image_files(clip, pictures, files, 16, 2, fixed_shape=True, quiet=True)
    assert np.array_equal(found["whole"].vectors, plain.vectors), "the view `whole` is what there always was"
    image = open_image(pictures / "05.png")  # 65 x 75
    box = tiles.boxes[5 * 13 + 4]
    assert box[1:5].tolist() == [0, 0, 22, 25]
    alone = clip.encode_images([clip.preprocess(image.crop((0, 0, 22, 25)))])[0]
    assert np.abs(tiles.vectors[5 * 13 + 4] - alone).max() < 1e-6


def test_patch_tokens_are_projected_as_the_class_token_is(clip: Embedder, pictures: Path) -> None:
    import open_clip

    assert clip.patches is not None
    folder = clip.identity.spec.removeprefix("openclip:local-dir:")
    visual = open_clip.create_model(f"local-dir:{folder}", pretrained=None).visual.eval()
    visual.output_tokens = True
    pixels = torch.from_numpy(clip.preprocess(open_image(pictures / "05.png")))[None]
    with torch.inference_mode():
        _pooled, tokens = visual(pixels)
        expected = torch.nn.functional.normalize(tokens[0] @ visual.proj, dim=-1).numpy()
    found = embed_views(clip, pictures, ["05.png"], ["tokens"], 1, quiet=True)["tokens"]
    assert np.abs(found.vectors - expected).max() < 1e-5
    assert found.boxes[0, 1:5].tolist() == [0, 5, 16, 21], "of 65 x 75 the centre 65 x 65 is seen, by 4 x 4 patches"
    assert found.boxes[-1, 1:5].tolist() == [49, 54, 65, 70]


def test_towers_without_such_tokens_refuse_them_by_name(tmp_path: Path, pictures: Path) -> None:
    folder = open_clip_folder(tmp_path / "pooled", vision_cfg={**VISION, "attentional_pool": True})
    pooled = load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{folder}", precision="fp32"), device="cpu")
    with pytest.raises(NounflowError, match=r"pooled has no patch tokens in the space of its texts"):
        embed_views(pooled, pictures, ["05.png"], ["tokens"], 1)


def test_boxes_travel_in_the_store_under_its_seal(clip: Embedder, pictures: Path, tmp_path: Path) -> None:
    view = embed_views(clip, pictures, ["00.png", "01.png"], ["tiles"], 1, quiet=True)["tiles"]
    path = tmp_path / "tiles.json"
    write_shard(
        path, view.vectors, boxes=view.boxes, embedder=clip.identity, lexicon="", source="x", start=0, texts="",
        batch_tokens=0, files=tuple(view.files),
    )  # fmt: skip
    manifest, vectors = read_shard(path)
    assert vectors.shape == (26, 16)
    assert np.array_equal(read_boxes(path, manifest), view.boxes)
    target = tmp_path / "tiles.zarr/boxes/c/0/0"
    target.write_bytes(target.read_bytes()[:-8] + b"\0" * 8)
    with pytest.raises(NounflowError, match="not those that were written"):
        read_shard(path)


def test_proposals_name_images_of_the_set_only(tmp_path: Path) -> None:
    rows = {"file": ["b.png", "a.png", "b.png"], "x0": [0, 1, 2], "y0": 0, "x1": 9, "y1": 9, "objectness": 0.5}
    write_table(tmp_path / "proposals.parquet", pl.DataFrame(rows), PROPOSALS)
    found = read_proposals(tmp_path / "proposals.parquet", ["a.png", "b.png"])
    assert found["b.png"][:, 0].tolist() == [0, 2]
    with pytest.raises(NounflowError, match=r"not in the folder: 1, such as b\.png"):
        read_proposals(tmp_path / "proposals.parquet", ["a.png"])


def test_no_tile_is_empty() -> None:
    for width, height in ((1, 1), (2, 5), (640, 3)):
        boxes = tile_boxes(width, height)
        assert len(boxes) == 13
        assert ((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])).all()
        assert len(clipped(boxes, width, height)) == 13
