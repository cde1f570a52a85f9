"""The view `regions` of an image set: each proposal twice, as it is and with its surroundings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from nounflow.errors import MismatchError
from nounflow.regions.image_regions import SCALES, ImageRegions
from nounflow.regions.proposals import CORNERS, PROPOSALS
from nounflow.schemas.embeddings import ShardManifest
from nounflow.schemas.tables import read_table
from nounflow.store.matrix import MappedMatrix
from nounflow.store.shards import VECTORS, array_folder, map_rows, read_boxes, verify_shard


class RegionView:
    """Images with their boxes and vectors, read one at a time from the store."""

    def __init__(self, manifest: Path, proposals: Path) -> None:
        """
        Raises:
            MismatchError: the vectors are not those of these proposals.
        """
        self.manifest: ShardManifest = verify_shard(manifest)
        stored = map_rows(manifest, self.manifest)
        self._vectors = MappedMatrix([stored], self.manifest.dim, [array_folder(manifest) / VECTORS])
        table = read_table(proposals, PROPOSALS, "table of proposals")
        self.sizes = {
            file: (width, height)
            for file, width, height in table.select("file", "width", "height").unique(maintain_order=True).iter_rows()
        }
        corners = table.select(CORNERS).to_numpy().astype(np.float32)
        self.proposals = {  # also those that were not embedded: file -> boxes [n, 4]
            str(file): corners[rows["row"].to_numpy()]
            for (file,), rows in table.with_row_index("row").partition_by("file", as_dict=True).items()
        }
        self._boxes = read_boxes(manifest, self.manifest)
        self._rows = _spans(self._boxes[:, 0].astype(np.int64), self.manifest.files)
        near = self._boxes[:: len(SCALES)]
        files = [self.manifest.files[i] for i in near[:, 0].astype(int)]
        embedded = pl.DataFrame(near[:, 1:5], schema=dict.fromkeys(CORNERS, pl.Float32))
        embedded = embedded.with_columns(file=pl.Series(files, dtype=pl.String))
        if len(self._boxes) % len(SCALES) or len(embedded.join(table, on=["file", *CORNERS], how="anti")):
            raise MismatchError(
                "The embedded boxes are not those of the table of proposals",
                where=f"{manifest} against {proposals}",
                fix="delete the older of the two and run again",
            )

    def image(self, file: str) -> ImageRegions | None:
        """One image; None where it has no embedded box."""
        if file not in self._rows:
            return None
        rows = self._rows[file]
        boxes = self._boxes[rows]
        vectors = self._vectors[np.arange(rows.start, rows.stop)].reshape(-1, len(SCALES), self.manifest.dim)
        width, height = self.sizes[file]
        return ImageRegions(file, width, height, boxes[:: len(SCALES), 1:5], boxes[:: len(SCALES), 5], vectors)

    def images(self, files: Sequence[str]) -> Iterator[ImageRegions]:
        """Those of some images that have boxes, in their order."""
        yield from (image for file in files if (image := self.image(file)) is not None)


def _spans(image: np.ndarray, files: Sequence[str]) -> Mapping[str, slice]:
    """File -> its rows, which stand together."""
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    ends = [*starts[1:], len(image)]
    return {files[image[start]]: slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)}
