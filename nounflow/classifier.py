"""The public way in: a trained run and its embedder, from image files to nouns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.device import settle_device
from nounflow.embedders.image_files import embed_image_files
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.predictors.loading import load_predictor
from nounflow.predictors.protocol import Predictor
from nounflow.store.shards import check_identity

_NOUNS = 3  # of an image, where nobody says how many


@dataclass(frozen=True)
class Naming:
    """The answer for one image; `problem` says why there is none."""

    file: str
    nouns: tuple[str, ...]
    probabilities: tuple[float, ...]
    problem: str = ""


class NounClassifier:
    """Names images with the predictor of a run. Make one with `load`."""

    def __init__(self, predictor: Predictor, embedder: Embedder, threads: int) -> None:
        self._predictor, self._embedder, self._threads = predictor, embedder, threads

    @classmethod
    def load(
        cls,
        run: str | Path = "results/models/small",
        device: str = "auto",
        threads: int = 2,
        generation: GenerationConfig | None = None,
    ) -> "NounClassifier":
        """Load a run's folder, or the manifest in it, and the embedder it was made with.

        The process is left as it is: torch computes with the threads that it is set to, CUDA sees the GPUs it saw.

        Args:
            device: auto, cpu, cuda or mps.
            threads: that decode images.
            generation: how a decoder is read; None: as in the run's config.

        Raises:
            NounflowError: there is no such run, it is damaged, or its embedder is not the one installed here.
        """
        manifest_path = _manifest_of(Path(run))
        device = settle_device(device)
        predictor = load_predictor(manifest_path, device, generation)
        identity = predictor.manifest.embedder
        config = EmbedderConfig.model_validate({"spec": identity.spec, "precision": identity.precision})
        embedder = load_embedder(config, device)
        check_identity(embedder.identity, identity, "the embedder installed here", manifest_path)
        return cls(predictor, embedder, threads)

    def name(self, files: Sequence[str | Path], folder: str | Path = ".", top_k: int | None = None) -> list[Naming]:
        """The `top_k` likeliest nouns of each image file (relative to `folder`), in the files' order.

        None: three, or fewer where the run's beam is narrower. Asked for more than the beam holds, the search widens.

        A file that cannot be read gets no nouns and its reason in `problem`; the others are not affected.
        """
        names = [str(file) for file in files]
        embedded = embed_image_files(self._embedder, Path(folder), names, batch=32, threads=self._threads, quiet=True)
        answers = self._predictor.answer(embedded.vectors, top_k or min(_NOUNS, self._predictor.width))
        found = {
            file: Naming(file, tuple(texts), tuple(probabilities))
            for file, texts, probabilities in zip(
                embedded.files, answers.texts, answers.probabilities.tolist(), strict=True
            )
        }
        return [found.get(file) or Naming(file, (), (), embedded.unreadable[file]) for file in names]


def _manifest_of(run: Path) -> Path:
    path = run if run.suffix == ".json" else run / "manifest.json"
    if path.is_file():
        return path
    there = sorted(str(found.parent) for found in path.parent.parent.glob("*/manifest.json"))
    raise NounflowError(
        "There is no trained run here" + (f"; there are: {', '.join(there)}" if there else ""),
        where=path,
        fix="name one of these" if there else "train it first (`make scores`, or `snakemake --cores all`)",
    )
