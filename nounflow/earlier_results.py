"""What stood before a workflow run, kept until the run ends well.

Snakemake deletes a job's earlier outputs before it starts the job. So that a setting that fails (a filter that leaves
no noun, a learning rate that diverges, a full disk) does not cost the result that it was to replace, every file is
kept by a hard link, which costs no space, and the outputs that a failed run has lost are put back, with their times
and Snakemake's records of how they were made: the next run then judges them as if the failed one had not been.
"""

import base64
import os
import shutil
from pathlib import Path

_PASSED_OVER = ("logs", "benchmarks")  # written in place, and of interest above all when a job failed


class EarlierResults:
    """The files of a results folder and Snakemake's records of them, as they stood when `keep` was called."""

    def __init__(self, results: Path, records: Path, kept: Path) -> None:
        """
        Args:
            results: folder of all outputs, as rules name it.
            records: Snakemake's metadata folder.
            kept: where to keep: a folder in `results`, for the file system's sake.
        """
        self._results, self._records = results, records
        self._files, self._kept_records = kept / "files", kept / "records"
        self._kept = kept

    def keep(self) -> None:
        """Link everything; where the file system has no hard links, nothing is kept."""
        self.discard()
        try:
            for folder, folders, files in os.walk(self._results):
                below = Path(folder).relative_to(self._results)
                if below == Path():
                    folders[:] = [name for name in folders if name not in (*_PASSED_OVER, self._kept.name)]
                (self._files / below).mkdir(parents=True)
                # links (to Snakemake's cache between workflows) are kept as links, also those to folders
                for name in (*files, *(name for name in folders if Path(folder, name).is_symlink())):
                    os.link(Path(folder, name), self._files / below / name, follow_symlinks=False)
            if self._records.is_dir():
                shutil.copytree(self._records, self._kept_records)
        except OSError:
            self.discard()

    def restore(self) -> list[Path]:
        """Put back the outputs that are missing now and forget the rest; returns what was put back."""
        back = []
        for record in sorted(path for path in self._kept_records.rglob("*") if path.is_file()):
            output = self._output_of(record)
            if not output.is_relative_to(self._results) or output.exists():
                continue
            kept = self._files / output.relative_to(self._results)
            if kept.exists():
                output.parent.mkdir(parents=True, exist_ok=True)
                _link(kept, output)
                shutil.copy2(record, self._records / record.relative_to(self._kept_records))
                back.append(output)
        self.discard()
        return back

    def discard(self) -> None:
        """Forget what was kept."""
        shutil.rmtree(self._kept, ignore_errors=True)

    def _output_of(self, record: Path) -> Path:
        """A record is named by its output's path in base64; long names go on in folders whose names start with @."""
        parts = record.relative_to(self._kept_records).parts
        return Path(base64.urlsafe_b64decode("".join(part.removeprefix("@") for part in parts)).decode())


def _link(kept: Path, output: Path) -> None:
    if kept.is_dir() and not kept.is_symlink():
        shutil.copytree(kept, output, copy_function=os.link, symlinks=True)
    else:
        os.link(kept, output, follow_symlinks=False)
