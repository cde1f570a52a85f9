"""The public way in: a trained model and its embedder, from images in any form to nouns."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from nounflow.config.generation import GenerationConfig
from nounflow.embedders.image_files import embed_batches
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.escaping import SURROGATE, escaped
from nounflow.image_sources import ImageSource, as_image, check_counts, images_of, is_image, title_of
from nounflow.model_folders import DEFAULT, find_model, push_model, save_model
from nounflow.namings import CANDIDATES, AnswerReader, Naming, distinct_nouns
from nounflow.opening import check_process, loaded_again, open_model, unit_rows
from nounflow.progress import Progress
from nounflow.regions.finding import FindsRegions
from nounflow.tags.finding import FindsTags
from nounflow.tags.texts import NounVectors

if TYPE_CHECKING:  # PyTorch and more, which an exported model does without
    from nounflow.open_set.gate import Gate, StoredGate
    from nounflow.predictors.protocol import Predictor

_NOUNS = 3  # of an image, where nobody says how many


class NounClassifier(FindsRegions, FindsTags):
    """Names images with a trained model. Make one with `load`. It may be used from several threads.

    >>> classifier = NounClassifier.load("results/models/small")
    >>> classifier("cat.jpg").nouns
    >>> classifier.guide(["cat", "dog"])(["cat.jpg", "dog.jpg"])
    >>> classifier.gated()("cat.jpg").verdict
    """

    def __init__(
        self,
        predictor: Predictor,
        embedder: Embedder,
        threads: int,
        manifest: Path,
        batch_size: int = 32,
        gate: Gate | None = None,
        calibrated: bool = True,
    ) -> None:
        self._predictor, self._embedder, self._threads = predictor, embedder, threads
        self._manifest, self._batch, self._gate = manifest, batch_size, gate
        self._stored: StoredGate | None = None
        self._keep: float | None = None
        self._listed: tuple[str, ...] | None = None
        self._loading: dict[str, Any] | None = None  # what `load` was told
        self._reader = AnswerReader.of(manifest, predictor.manifest, calibrated)
        self._vectors_of, self._same, self._hypernyms = NounVectors(embedder), self._reader.same, self._reader.hypernyms

    @classmethod
    def load(
        cls,
        run: str | os.PathLike[str] = DEFAULT,
        device: str = "auto",
        threads: int = 2,
        generation: GenerationConfig | str | None = None,
        batch_size: int | None = None,
        revision: str | None = None,
        calibrated: bool = True,
    ) -> NounClassifier:
        """Load a model and the embedder it was made with.

        The process is left as it is: torch computes with the threads that it is set to, CUDA sees the GPUs it saw.

        Args:
            run: a run's name, its folder or the manifest in it, ORG/NAME on the hub, or what `nounflow onnx
                export` wrote.
            device: auto, cpu, cuda or mps.
            threads: that decode images.
            generation: how a decoder is read, also as a name such as "beam_k5_gr"; None: as in the run's config.
            batch_size: images that are embedded together; None: 4, on a GPU 32, exported 16. On a CPU more are slower.
            revision: of a model on the hub.
            calibrated: whether probabilities follow what `nounflow calibrate`, or the workflow, left with the model.

        Raises:
            NounflowError: there is no such model, it is damaged, or its embedder or `generation` does not go with it.
            TypeError: `threads` or `batch_size` is no whole number from 1 up, or `generation` no settings.
        """
        check_counts(threads=threads, batch_size=1 if batch_size is None else batch_size)
        device = str(device)
        check_process(device, threads, computes=False)
        manifest_path = find_model(run, revision)
        predictor, embedder, batch = open_model(manifest_path, device, threads, generation)
        found = cls(predictor, embedder, threads, manifest_path, batch_size or batch, calibrated=calibrated)
        found._loading = {
            "run": manifest_path.absolute(), "device": device, "threads": threads, "generation": generation,
            "batch_size": batch_size, "calibrated": calibrated,
        }  # fmt: skip
        return found

    def __copy__(self) -> NounClassifier:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self, _memo: object) -> NounClassifier:
        return copy.copy(self)  # what is loaded never changes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is how it was made: it is loaded again, from the same files, where it is unpickled."""
        if self._loading is None:
            raise TypeError("Only a classifier that `NounClassifier.load` has made can be pickled")
        gate = {name: getattr(self, name) for name in ("_gate", "_stored", "_keep")}
        return loaded_again, (
            type(self).load,
            self._loading,
            self.weights_sha256,
            self._listed,
            self._reader.merge,
            gate,
        )

    from_pretrained = load  # the name that users of other libraries look for
    regions, tags = FindsRegions.regions, FindsTags.tags  # listed here, too, for whoever looks through the class

    @property
    def threads(self) -> int:
        """Threads that decode images."""
        return self._threads

    @property
    def device(self) -> str:
        """What it computes on: cpu, cuda or mps."""
        return self._embedder.device

    @property
    def nouns(self) -> tuple[str, ...]:
        """The nouns that it can answer with: those of its list, else of its lexicon."""
        return self._predictor.manifest.nouns if self._listed is None else self._listed

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a path is an iterable of texts, too
        self, images: ImageSource, top_k: int | None = None, *, progress: bool = False
    ) -> Naming: ...
    @overload
    def __call__(
        self, images: Iterable[ImageSource], top_k: int | None = None, *, progress: bool = False
    ) -> list[Naming]: ...
    def __call__(self, images: Any, top_k: int | None = None, *, progress: bool = False) -> Naming | list[Naming]:
        """Name one image, or several in their order: of a list, an iterable, or a folder (and those below it).

        An image is a path, bytes, a binary file object, a PIL image, a numpy array or a torch tensor. One that cannot
        be read gets no nouns and its reason in `problem`; the others are not affected.

        Args:
            top_k: nouns an image; None: three, or fewer where the run's beam is narrower. Asked for more than the
                beam holds, the search widens.
            progress: show a bar.

        Raises:
            TypeError: something is no image, or `top_k` no whole number from 1 up; it says what is taken.
        """
        if is_image(images):
            return next(self.classify([images], top_k))
        return list(self.classify(images, top_k, progress=progress))

    def classify(
        self,
        images: Iterable[ImageSource] | str | os.PathLike[str],
        top_k: int | None = None,
        *,
        progress: bool = False,
    ) -> Iterator[Naming]:
        """As a call does, one answer after the other: any number of images in the memory of two batches."""
        top_k = self._count(top_k)
        for names, reasons, vectors in self._embedded(images, progress):
            answers = iter(self.classify_embeddings(vectors, top_k))
            for source, reason in zip(names, reasons, strict=True):
                found = Naming("", (), (), reason) if reason is not None else next(answers)
                yield replace(found, file=title_of(source))

    def classify_embeddings(self, embeddings: Any, top_k: int | None = None) -> list[Naming]:
        """Name images by their embeddings, array or tensor [n, dim] of any length; see a call for `top_k`.

        Raises:
            TypeError: it has another shape, or values that are not finite.
        """
        top_k = self._count(top_k)
        if (vectors := unit_rows(embeddings, self._embedder.dim)) is None:
            found = list(np.shape(embeddings))
            raise TypeError(f"Embeddings are finite numbers [n, {self._embedder.dim}], none all 0, not {found}")
        if len(vectors) == 0:
            return []
        check_process(self.device, self._threads)
        answers = self._predictor.answer(vectors, max(top_k, min(CANDIDATES, self._predictor.width)))
        found = self._reader.namings(answers, top_k)
        if self._gate is None:
            return found
        from nounflow.open_set.gate import TOP_K

        verdicts = self._gate(vectors, [[noun for noun in texts[:TOP_K] if noun] for texts in answers.texts])
        return [replace(naming, verdict=verdict) for naming, verdict in zip(found, verdicts, strict=True)]

    def _count(self, top_k: int | None) -> int:
        """Nouns that an image gets: no more than there are."""
        if top_k is None:
            return min(_NOUNS, self._predictor.width)
        check_counts(top_k=top_k)
        return min(int(top_k), max(len(self.nouns), self._predictor.width))

    def guide(self, nouns: Iterable[str]) -> NounClassifier:
        """The same classifier, answering from these nouns only. It shares the loaded models and is made in no time.

        Raises:
            TypeError: something in the list is no text.
            NounflowError: the model cannot say any of them.
            UserWarning: it cannot say some of them, which are named.
        """
        distinct = distinct_nouns(nouns)
        predictor, left_out = self._predictor.guided_by(distinct) if distinct else (self._predictor, [])
        if len(left_out) == len(distinct):
            raise NounflowError(
                "The list holds no noun that this model can say" if distinct else "The list of nouns is empty",
                fix="give nouns of its lexicon (`classifier.nouns`), in the singular",
            )
        if left_out:
            what = "nouns that this model cannot say, or not apart from others of the list"
            said = f"{len(left_out)} {what}: {', '.join(left_out[:10])}"
            warnings.warn(escaped(said), stacklevel=2)  # a client's, perhaps, and it goes into a log
        guided = copy.copy(self)
        guided._predictor = predictor
        guided._listed = tuple(noun for noun in distinct if noun not in set(left_out))
        guided._gate = self._stored.for_list(guided._listed, self._embedder, self._keep) if self._stored else self._gate
        return guided

    def merged(self) -> NounClassifier:
        """The same classifier, with synonyms as one answer under the name that came first.

        Raises:
            NounflowError: nothing is known of the model's synonyms.
        """
        if self._reader.hypernyms is None:
            raise NounflowError(
                "Nothing lies beside this model that tells synonyms",
                where=self._manifest.parent,
                fix="save the model from the project that made it, whose lexicon knows them",
            )
        merged = copy.copy(self)
        merged._reader = replace(self._reader, merge=True)
        return merged

    def synonyms(self, names: Iterable[str]) -> frozenset[str]:
        """Canonical forms of names, and of the lexicon's nouns that are their synonyms."""
        return self._reader.synonyms(distinct_nouns(names))

    @property
    def knows_hypernyms(self) -> bool:
        """Whether the model, or the project that it lies in, tells what lies above the nouns and which are synonyms."""
        return self._reader.hypernyms is not None

    @property
    def calibrated_on(self) -> str:
        """What probabilities were fitted to: labelled images, or captions; empty: they are the model's own."""
        found = self._reader.calibration
        return found.fitted_on if found else ""

    @property
    def manifest_path(self) -> Path:
        """Of the model."""
        return self._manifest

    @property
    def weights_sha256(self) -> str:
        """Of the model's weights, or of its rule."""
        return self._predictor.manifest.weights_sha256

    def gated(
        self,
        gate: Gate | str | os.PathLike[str] | None = None,
        known: Iterable[ImageSource] | str | os.PathLike[str] | None = None,
        keep: float | None = None,
    ) -> NounClassifier:
        """The same classifier, whose answers carry a verdict: whether to believe them (docs/open_set.md).

        Args:
            gate: None: that of the run's folder, or a path to one such; it is then fitted to the list, if the
                classifier has one. Or a gate of yours: see `nounflow.open_set.gate.Gate`.
            known: images of known things, 50 or more, that the threshold is fitted on; None: it stays as it was fitted
                with the gate, and for a list on captions under noise.
            keep: share of known images that is accepted; None: that of the gate.

        Raises:
            NounflowError: there is none, it was fitted for another embedder or lexicon, the list is too short, or there
                are too few images.
        """
        from nounflow.open_set.gate import GATE, TOP_K, StoredGate

        gated = copy.copy(self)
        if callable(gate):
            gated._gate, gated._stored = gate, None
            return gated
        manifest = self._predictor.manifest
        path = Path(gate) if gate is not None else self._manifest.parent / GATE
        gated._stored = StoredGate.load(path, manifest.embedder, manifest.lexicon, manifest.nouns)
        gated._keep = keep
        own = (
            gated._stored.own(keep)
            if self._listed is None
            else gated._stored.for_list(self._listed, self._embedder, keep)
        )
        if known is not None:
            vectors = self._known(known)
            nouns = [[noun for noun in row if noun] for row in self._predictor.answer(vectors, TOP_K).texts]
            own = own.fitted(vectors, nouns, gated._stored.manifest.keep if keep is None else keep)
        gated._gate = own
        return gated

    def encode_images(
        self, images: Iterable[ImageSource] | str | os.PathLike[str], *, progress: bool = False
    ) -> np.ndarray:
        """Unit vectors of images, float32 [n, dim], in their order.

        Raises:
            NounflowError: one cannot be read.
        """

        def refuse(title: str, reason: str) -> None:
            raise NounflowError(f"An image cannot be read: {reason}", where=title or None)

        return self._vectors(images, refuse, progress)

    def _known(self, images: Any) -> np.ndarray:
        """Unit vectors of images; those that cannot be read are left out, and told."""
        unread = list[str]()
        vectors = self._vectors(images, lambda title, reason: unread.append(f"{title}: {reason}"))
        if unread:
            warnings.warn(f"{len(unread)} known images cannot be read, such as {escaped(unread[0])}", stacklevel=3)
        return vectors

    def _vectors(self, images: Any, unread: Callable[[str, str], None], progress: bool = False) -> np.ndarray:
        """Unit vectors of images; `unread` is told the title of each that cannot be read, and why."""
        parts = [np.zeros((0, self._embedder.dim), np.float32)]
        for sources, reasons, vectors in self._embedded([images] if is_image(images) else images, progress):
            parts.append(vectors)
            for source, reason in zip(sources, reasons, strict=True):
                if reason is not None:
                    unread(title_of(source), reason)
        return np.concatenate(parts)

    def prepare(self, image: ImageSource) -> np.ndarray:
        """One image as the image tower wants it, for `encode_prepared`: the part of the work that threads share.

        Raises:
            ImageError: it cannot be read.
            TypeError: it is no image.
        """
        return self._embedder.preprocess(as_image(image))

    def encode_prepared(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors of prepared images, float32 [n, dim], computed together."""
        check_process(self.device, self._threads)
        return self._embedder.encode_images(images)

    def encode_texts(self, texts: str | Sequence[str]) -> np.ndarray:
        """Unit vectors of texts, float32 [n, dim], in the space of the images."""
        check_process(self.device, self._threads)
        texts = [texts] if isinstance(texts, str) else list(texts)
        if strange := [text for text in texts if not isinstance(text, str) or SURROGATE.search(text)]:
            raise TypeError(f"Texts are strings of whole characters, not {escaped(repr(strange[0]))}")
        return self._embedder.encode_texts(texts, progress=False)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model, without its embedder, to a folder of its own: see `nounflow.model_folders`."""
        save_model(self._manifest, Path(folder))

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload what `save` writes to the hub; returns its address. Options are those of `create_repo`."""
        return push_model(self._manifest, repo_id, **options)

    def name(
        self, files: str | Path | Sequence[str | Path], folder: str | Path = ".", top_k: int | None = None
    ) -> list[Naming]:
        """Name image files relative to `folder`, which their answers do not repeat; else as a call does."""
        files = [files] if isinstance(files, str | Path) else files
        found = self.classify([Path(folder) / file for file in files], top_k)
        return [replace(naming, file=str(file)) for file, naming in zip(files, found, strict=True)]

    def _embedded(self, images: Any, progress: bool) -> Iterator[tuple[list[Any], list[str | None], np.ndarray]]:
        """Sources, why they could not be read, and the vectors of the others: see `embed_batches`."""
        check_process(self.device, self._threads)
        images = images_of(images)
        total = len(images) if hasattr(images, "__len__") else 0
        with Progress("images", total, "images", quiet=not progress) as bar:
            for found in embed_batches(self._embedder, images, as_image, self._batch, self._threads):
                yield found
                bar.advance(len(found[0]))
