"""What a fingerprint of code sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from nounflow import fingerprint
from nounflow.config.embedder import FAMILIES
from nounflow.config.noise import SCHEMES
from nounflow.fingerprint import code_fingerprint, imported_files
from nounflow.predictor_kinds import PREDICTORS


def test_a_comment_a_docstring_and_layout_keep_the_fingerprint(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text('"""Doc."""\n\ndef f(x: Annotated[int, "help"]):\n    """Say."""\n    return x + 1\n')
    before = code_fingerprint(script)
    script.write_text(
        '"""Other."""\n\n# why\ndef f(\n    x: Annotated[int, "what"],\n):\n'
        '    """Said."""\n    return (x + 1)  # one\n'
    )
    assert code_fingerprint(script) == before
    for x, more in (("int", 2), ('"int"', 1)):  # a type is none of the help
        script.write_text(f'"""Doc."""\n\ndef f(x: Annotated[{x}, "help"]):\n    """Say."""\n    return x + {more}\n')
        assert code_fingerprint(script) != before


def test_a_stage_depends_on_its_own_library_code_and_not_on_that_of_later_stages(repository: Path) -> None:
    roots = {
        "embedding": (repository / "workflow_scripts/embed_texts.py", FAMILIES["bundled"].load),
        "training": (repository / "workflow_scripts/train_model.py", PREDICTORS["decoder"].train),
    }
    names = {
        stage: {path.relative_to(repository).as_posix() for path in imported_files(*found)}
        for stage, found in roots.items()
    }
    training = names["training"]
    assert "nounflow/decoder/model.py" in training
    assert "nounflow/training/noise.py" in training
    others = {name for name in training if name.startswith(("nounflow/predictors", "nounflow/scoring"))}
    assert others == {"nounflow/predictors/decoder_training.py"}
    assert "nounflow/decoder/generation.py" not in training
    assert not {name for name in names["embedding"] if name.startswith("nounflow/decoder")}
    assert "nounflow/__init__.py" not in training


def test_training_a_decoder_depends_on_48_files_at_most(repository: Path) -> None:
    kind = PREDICTORS["decoder"]
    noise, tokenizer = SCHEMES["gauss_elem"].place, FAMILIES["bundled"].tokenizer
    script = repository / "workflow_scripts/train_model.py"
    assert len(imported_files(script, kind.settings, kind.train, tokenizer, noise)) <= 48


def test_the_code_of_an_embedding_is_that_of_its_family() -> None:
    code = {family: {path.stem for path in imported_files(entry.load)} for family, entry in FAMILIES.items()}
    shared = {"text_encoder", "two_towers", "tokenizer", "batching", "attention"}
    assert all(shared <= names for names in code.values())
    assert "bundled" in code.pop("rehearsal")  # which it wraps
    libraries = {"text_path", "text_tower", "clip_model", "library_tokenizer", "golden"}
    assert not code["bundled"] & libraries
    assert libraries <= code["openclip"] & code["transformers"]
    for family, own in (("bundled", "minilm"), ("openclip", "openclip"), ("transformers", "transformers")):
        others = set().union(*(names for other, names in code.items() if other != family))
        assert not {name for name in others if name.startswith(own)}


def test_what_is_imported_for_an_operational_setting_is_not_followed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    lines = [
        "from nounflow.config.base import OPERATIONAL, Settings",
        "from nounflow.config.generation import GenerationConfig",
        "class Run(Settings):",
        "    seed: int = 1",
        "    generation: Annotated[GenerationConfig, OPERATIONAL] = GenerationConfig()",
    ]
    script.write_text("\n".join(lines))
    assert "generation.py" not in {path.name for path in imported_files(script)}
    script.write_text("\n".join([*lines, "used = GenerationConfig()"]))
    assert "generation.py" in {path.name for path in imported_files(script)}


def test_what_a_module_hands_on_is_followed(tmp_path: Path) -> None:
    for i, line in enumerate(("from nounflow.text import x\n__all__ = ['x']", "from nounflow.text import x as x")):
        script = tmp_path / f"script{i}.py"
        script.write_text(line)
        assert "text.py" in {path.name for path in imported_files(script)}


@pytest.mark.parametrize("damage", [None, "", "[1]", '{"a": 1}', '{"a": ["b"]}'])
def test_what_is_kept_of_parsed_files_changes_no_fingerprint(
    damage: str | None, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = repository / "workflow_scripts/score.py"

    def anew() -> str:
        fingerprint._kept.cache_clear()
        fingerprint._parsed.cache_clear()
        return code_fingerprint(script)

    before, kept = anew(), fingerprint._kept()
    fingerprint._keep(kept, before=0)
    if damage is not None:
        fingerprint._kept_at().write_text(damage)
    assert anew() == before
    assert len(fingerprint._kept()) == len(kept)
