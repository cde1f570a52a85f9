"""Models of a hub: what is here is taken without asking, and what is missing is named at once.

The libraries ask the hub for every file each time, and without a network they try again for minutes.
"""

import contextlib
import queue
import textwrap
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from nounflow.errors import DamagedFileError, NounflowError

Loaded = TypeVar("Loaded")

_PATIENCE_S = 6.0  # for the hub's first answer
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")  # endings of files
OPENCLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class HubFiles(NamedTuple):
    """What a model needs of a repository; each file by the names that it may have."""

    repository: str  # ORG/NAME
    files: Sequence[Sequence[str]]

    def missing(self) -> list[str]:
        """Files that are not in the cache, by their first names."""
        return [names[0] for names in self.files if not any(self.path(name) for name in names)]

    def path(self, name: str) -> Path | None:
        """Where a file lies in the cache; NounflowError where no repository can be called so."""
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            found = try_to_load_from_cache(self.repository, name)
        except HFValidationError:
            raise NounflowError(
                "No model of a hub can be called so",
                where=self.repository,
                fix="write ORG/NAME, or a folder that is here",
            ) from None
        return Path(found) if isinstance(found, str) else None

    def folder(self) -> Path:
        """Where the cache keeps the repository."""
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"models--{self.repository.replace('/', '--')}"


def loaded(spec: str, wanted: HubFiles | None, load: Callable[[], Loaded], fetch: str) -> Loaded:
    """As `from_hub`; whatever a library raises when a model is not here becomes advice that names `fetch`.

    Raises:
        NounflowError: the model cannot be loaded.
    """
    try:
        return from_hub(spec, wanted, load)
    except NounflowError:
        raise
    except ImportError as error:
        sentence = " ".join(str(error).split()).partition(". ")[0]
        raise NounflowError(
            f"The model {spec} needs a package that is not here ({sentence})",
            where=spec,
            fix="pip install that package",
        ) from error
    except Exception as error:  # network, files, formats: each library has its own kinds
        reason = textwrap.shorten(str(error), 300, placeholder=" ...")
        raise NounflowError(
            f"The model {spec} cannot be loaded ({type(error).__name__}: {reason})",
            where=spec,
            fix=f"without a network, fetch it where there is one ({fetch}), copy the folder here and write "
            f"{spec.partition(':')[0]}:FOLDER",
        ) from error


def from_hub(spec: str, wanted: HubFiles | None, load: Callable[[], Loaded]) -> Loaded:
    """Call `load`, without a network where all that is wanted is here.

    Raises:
        NounflowError: something is missing, and the hub cannot be reached.
        DamagedFileError: a file of weights is cut off.
    """
    if wanted is None:
        return load()
    for names in wanted.files:
        for path in filter(None, map(wanted.path, names)):
            check_whole(path)
    if not (missing := wanted.missing()):
        try:
            with _offline():
                return load()
        except NounflowError:
            raise
        except Exception:  # something is wanted that was not foreseen: ask the hub
            pass
    if (reason := unreachable()) is None:
        return load()
    if missing:
        raise NounflowError(
            f"{missing[0]} of {spec} is not here, and the hub cannot be reached ({reason})" + _halves(wanted),
            where=wanted.folder(),
            fix=f"where there is a network: hf download {wanted.repository} --local-dir FOLDER; copy the folder here "
            f"and write {spec.partition(':')[0]}:FOLDER",
        )
    with _offline():
        return load()  # with its own message


def unreachable() -> str | None:
    """Why the hub cannot be asked, within seconds; None where it answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # The look-up of a name has no time limit of its own, and a program's end waits for no daemon.
    threading.Thread(target=lambda: answers.put(_ask(constants.ENDPOINT)), daemon=True).start()
    try:
        return answers.get(timeout=_PATIENCE_S)
    except queue.Empty:
        return f"{constants.ENDPOINT} gives no answer within {_PATIENCE_S:.0f} s"


def _ask(address: str) -> str | None:
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_PATIENCE_S).close()
    except urllib.error.HTTPError:  # it answers
        return None
    except (OSError, ValueError) as error:
        return f"{address}: {getattr(error, 'reason', error)}"
    return None


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _halves(wanted: HubFiles) -> str:
    """What a download that broke off has left."""
    found = list((wanted.folder() / "blobs").glob("*.incomplete"))
    return (
        f"; half a download of {sum(path.stat().st_size for path in found) / 1e6:,.0f} MB lies there" if found else ""
    )


def check_whole(path: Path) -> None:
    """Refuse a file of weights that is shorter than it says.

    Raises:
        DamagedFileError: naming it.
    """
    from safetensors import SafetensorError, safe_open

    size, whole = path.stat().st_size, True
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "numpy"):  # holds the header against the size
                pass
        except SafetensorError:
            whole = False
    else:
        with path.open("rb") as file:
            whole = size > 0 and (file.read(2) != b"PK" or zipfile.is_zipfile(path))  # torch's own format is a zip file
    if not whole:
        raise DamagedFileError(
            f"The weights are cut off: half a download ({size / 1e6:,.1f} MB)",
            where=path,
            fix=f"delete {path.resolve()} and fetch the model again",
        )


def check_folder(folder: Path) -> None:
    """The same for all weights of a local folder."""
    for path in sorted(folder.iterdir()):
        if path.suffix in _WEIGHTS:
            check_whole(path)


def download_size(wanted: HubFiles) -> int | None:
    """Bytes of the files that are missing, as the hub says; None where it cannot be asked."""
    from huggingface_hub import HfApi

    if unreachable() is not None:
        return None
    with contextlib.suppress(Exception):  # what is wrong with the repository, loading says better
        files = HfApi().model_info(wanted.repository, files_metadata=True, timeout=_PATIENCE_S).siblings or []
        sizes = {file.rfilename: file.size or 0 for file in files}
        missing = [names for names in wanted.files if names[0] in wanted.missing()]
        return sum(next((sizes[name] for name in names if name in sizes), 0) for names in missing)
    return None
