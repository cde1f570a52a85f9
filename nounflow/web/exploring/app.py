"""The server of `nounflow explore`: pages of answers, pictures by number, and nothing else. It writes nothing."""

import functools
import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from PIL import Image

from nounflow.images import ImageError, open_image
from nounflow.web.app import add_pages
from nounflow.web.exploring.answers import Wanted, chosen, confusions, page

PAGES = Path(__file__).with_name("pages")
_SIZE = 48  # images a page
_POINTS = 3000  # of the map
_SIDES = {"small": 320, "large": 1280}  # longest side of a picture, pixels


Asked = Annotated[Wanted, Depends()]


def exploring_app(
    table: pl.DataFrame, folder: Path, image_set: str, judge: str, places: np.ndarray | None = None
) -> FastAPI:
    """The server's routes; `nounflow.web.security.Guard` stands before them.

    Args:
        table: of `answer_table`.
        folder: where the images are.
        judge: who judged; empty: nobody.
        places: [images, 2], where the map has each image; not a number: nowhere. None: there is no map.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    add_pages(app, PAGES)
    files = dict(table.select("image", "file").unique().iter_rows())
    runs = table["run"].unique(maintain_order=True).to_list()
    kinds = sorted(set(table["kind"].unique()) - {""})

    @app.get("/api/session")
    def session() -> dict[str, Any]:
        return {
            **{"image_set": image_set, "judge": judge, "images": len(files), "runs": runs, "kinds": kinds},
            **{"page": _SIZE, "map": places is not None},
        }

    @app.get("/api/page")
    def rows(asked: Asked, number: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> dict[str, Any]:
        return page(table, asked, number, _SIZE)

    @app.get("/api/confusions")
    def confused(asked: Asked) -> list[dict[str, Any]]:
        return confusions(table, asked)

    @app.get("/api/map")
    def points(asked: Asked) -> list[list[Any]]:
        """x, y, verdict and number of the chosen images, at most so many, evenly taken."""
        if places is None:
            raise HTTPException(404, "there are no embeddings")
        found = chosen(table, asked).select("image", "verdict")
        found = found.gather_every(max(1, -(-found.height // _POINTS)))
        placed = ((*places[image].tolist(), verdict, image) for image, verdict in found.iter_rows())
        return [[round(x, 4), round(y, 4), verdict, image] for x, y, verdict, image in placed if x == x]

    @functools.lru_cache(maxsize=512)
    def jpeg(image: int, size: str) -> bytes:
        picture = open_image(folder / files[image])
        picture.thumbnail((_SIDES[size], _SIDES[size]), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    @app.get("/pictures/{image}")
    def picture(image: int, size: str = "small") -> Response:
        if image not in files or size not in _SIDES:
            raise HTTPException(404, "there is no such picture")
        if Path(files[image]).is_absolute() or ".." in Path(files[image]).parts:
            raise HTTPException(410, "its name leads out of the image folder")
        try:
            return Response(
                jpeg(image, size), media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"}
            )
        except ImageError as problem:
            raise HTTPException(410, str(problem)) from None

    return app
