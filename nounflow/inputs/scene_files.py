"""The files of `scenes`: pictures, COCO's JSON, and which labels are true of which scene."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.inputs.placing import InputOrigin, put_in_place
from nounflow.inputs.scenes import (
    BACKGROUNDS,
    SIZE,
    SPLITS,
    CutOut,
    Scene,
    background_images,
    compose,
    opaque_part,
    split_cut_outs,
)
from nounflow.progress import Progress
from nounflow.schemas.boxes import coco_json
from nounflow.schemas.inputs import InputManifest
from nounflow.schemas.labels import LabelTable
from nounflow.spreadsheets import write_sheet
from nounflow.wordnet import WordNet

COCO, LABELS, SEEN = "instances.json", "labels.tsv", "seen.txt"
_SHARES = {"train": 0.4, "val": 0.1, "test": 0.5}  # of the scenes


class SceneTruth:
    """What a cut-out, and a scene of several, says of each label."""

    def __init__(self, photos: LabelTable, wordnet: WordNet | None) -> None:
        self._photos = photos
        senses = {each.gold: each.sense for each in photos.values() if each.sense}
        self._ids = {
            noun: wordnet.sense_ids[key] for noun, key in senses.items() if wordnet and key in wordnet.sense_ids
        }
        self._above = {noun: set(wordnet.ancestors(at)) for noun, at in self._ids.items()} if wordnet else {}
        self.labels = sorted({each.gold for each in photos.values()})

    def present(self, cut_out: CutOut) -> set[str]:
        """Labels that are true: the noun, what the label file accepts, and nouns above it (a crow is a bird)."""
        own = self._photos[cut_out.file]
        above = self._above.get(own.gold, set())
        return {
            label
            for label in self.labels
            if label == own.gold or label in own.accepted or self._ids.get(label) in above
        }

    def unknown(self, cut_out: CutOut) -> set[str]:
        """Labels of which nothing is known: what else the picture shows, and nouns below its own (some bird)."""
        own = self._photos[cut_out.file]
        at = self._ids.get(own.gold, "")
        return {label for label in self.labels if label in own.secondary or at in self._above.get(label, ())}

    def of(self, scene: Scene) -> tuple[list[str], list[str]]:
        """Labels that are present, and those that are neither present nor absent."""
        present = set().union(*(self.present(cut_out) for cut_out in scene.cut_outs))
        unknown = set(scene.background.shows).intersection(self.labels)
        unknown |= set().union(*(self.unknown(cut_out) for cut_out in scene.cut_outs))
        return sorted(present), sorted(unknown - present)


def write_scenes(
    out: Path, folder: Path, photos: LabelTable, wordnet: WordNet | None, count: int, seed: int
) -> InputManifest:
    """Compose `count` scenes into `out`/files, with their manifest.

    Args:
        folder: where the files of `photos` lie.
        wordnet: says which labels stand above others; without it each noun stands alone.

    Raises:
        NounflowError: too few cut-outs, a background is missing.
    """
    pictures = _pictures(folder, photos)
    cut_outs = split_cut_outs([CutOut(file, photos[file].gold) for file in pictures], seed)
    if lacking := [split for split in SPLITS if not cut_outs[split]]:
        raise NounflowError(
            f"Too few cut-outs for scenes: none is left for {', '.join(lacking)}",
            where=folder,
            fix="scenes need PNG files with transparent edges, several dozens of them",
        )
    backgrounds, truth = background_images(), SceneTruth(photos, wordnet)

    def fill(target: Path) -> InputOrigin:
        scenes = []
        with Progress("scenes", count, "scenes") as progress:
            for number, split in enumerate(_splits(count)):
                scene = compose(number, split, cut_outs[split], pictures, backgrounds, seed)
                (target / scene.file).parent.mkdir(exist_ok=True)
                scene.image.save(target / scene.file, quality=92)
                scene.image.close()
                scenes.append(scene)
                progress.advance(1)
        _write_truth(target, scenes, truth, cut_outs, seed)
        return InputOrigin("scenes", f"composed from {folder} by seed {seed}", "1", "GPL-2", 0)

    return put_in_place(out, fill)


def _splits(count: int) -> list[str]:
    counts = {split: round(share * count) for split, share in _SHARES.items()}
    counts["test"] += count - sum(counts.values())
    return [split for split, n in counts.items() for _ in range(n)]


def _pictures(folder: Path, photos: LabelTable) -> dict[str, Image.Image]:
    """File -> RGBA, of those that have transparent edges."""
    found = {}
    for file in photos:
        try:
            with Image.open(folder / file) as image:
                whole = image.convert("RGBA")
        except OSError:
            continue  # the label file may name more than there is
        if whole.getchannel("A").getextrema()[0] == 0:
            found[file] = opaque_part(whole)
    return found


def _write_truth(
    target: Path, scenes: Sequence[Scene], truth: SceneTruth, cut_outs: Mapping[str, Sequence[CutOut]], seed: int
) -> None:
    images = [(scene.file, *SIZE, scene.split) for scene in scenes]
    boxes = [box for scene in scenes for box in scene.boxes]
    nouns = Counter(box.label for box in boxes)
    info = {
        "description": "composed from real cut-outs (Tux Paint's stamps) on parts of real photographs",
        "seed": seed,
        "backgrounds": [f"{each.package}/{each.file} {list(each.box)}" for each in BACKGROUNDS],
    }
    write_json(target / COCO, coco_json(images, sorted(nouns), boxes, info))
    rows = []
    for scene in scenes:
        present, unknown = truth.of(scene)
        shown = f"{scene.background.package}/{scene.background.file}"
        files = ";".join(cut_out.file for cut_out in scene.cut_outs)
        rows.append((scene.file, ";".join(present), ";".join(unknown), scene.split, shown, files))
    write_sheet(target / LABELS, ("file", "present", "unknown", "split", "background", "cut_outs"), rows)
    seen = set().union(*(truth.present(cut_out) for cut_out in cut_outs["train"]))
    (target / SEEN).write_text("".join(f"{noun}\n" for noun in sorted(seen)), encoding="utf-8")
