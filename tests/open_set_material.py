"""A bank of random nouns, and a gate that was fitted with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nounflow.config.open_set import OpenSetConfig
from nounflow.open_set.bank import NounBank, read_bank, unit, write_bank
from nounflow.open_set.gate_fitting import fit_gate
from nounflow.open_set.no_model import NoHead
from nounflow.open_set.no_store import no_embeddings, write_no_model
from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.open_set import BankManifest
from nounflow.schemas.tables import lexicon_digest

IDENTITY = EmbedderIdentity(
    spec="bundled:minilm-conse", dim=16, digest="d", weights="w", tokenizer="t", preprocessing="p", precision="fp32"
)
KNOWN = ("tiger", "lion", "cup", "mug", "oak", "violin", "hammer", "trumpet")
OTHERS = tuple(f"other {i}" for i in range(40))


def a_bank(rng: np.random.Generator) -> NounBank:
    """Eight known nouns and forty others, at random."""
    nouns = (*KNOWN, *OTHERS)
    manifest = BankManifest(
        embedder=IDENTITY,
        lexicon="l",
        nouns=nouns,
        candidates=len(nouns),
        above=(("cat kind", "animal"), *((noun, "thing") for noun in nouns[1:])),
        names=(False,) * len(nouns),
        kinds=("artifact",) * len(nouns),
        prompts=("a photo of a {}.",),
        patterns=("noise 1", "noise 2"),
    )
    return NounBank(manifest, unit(rng.normal(size=(len(nouns), 16))), unit(rng.normal(size=(2, 16))))


def pictures(bank: NounBank, rows: list[int], rng: np.random.Generator) -> np.ndarray:
    return unit(bank.vectors[rows] + 0.1 * rng.normal(size=(len(rows), 16)))


def a_run(bank: NounBank, nouns: tuple[str, ...] = KNOWN) -> PredictorManifest:
    return PredictorManifest(
        run="run", predictor="retrieval", embedder=bank.manifest.embedder, lexicon=lexicon_digest(nouns),
        lexicon_path="x", nouns=nouns, settings={"noise": {"scheme": "gauss_elem", "norm": 0.6}}, weights_sha256="",
        parameters=0, samples=0,
    )  # fmt: skip


def write_gate(tmp_path: Path, rng: np.random.Generator, score: str = "energy") -> Path:
    """A gate fitted on sixty clear pictures; that of a no-model has a head of random weights."""
    bank = a_bank(rng)
    write_bank(tmp_path / "bank.json", bank.manifest, bank.vectors, bank.patterns)
    rows = [i % 8 for i in range(60)]
    config = OpenSetConfig.model_validate(
        {"gate": {"score": score, "list_score": "auto" if score == "energy" else score, "keep": 0.9, "no_model": "no"},
         "no_models": {"no": {"embedder": "bundled", "mode": "head", "pairs": "p"}}, "negatives": {"share": 0.5}}
    )  # fmt: skip
    (tmp_path / "run").mkdir()
    path, answers = tmp_path / "run/gate.json", [[KNOWN[row]] for row in rows]
    read = read_bank(tmp_path / "bank.json")
    no = None
    if score != "energy":
        torch.manual_seed(0)
        head, no = NoHead(16, 8, 2), tmp_path / "no.safetensors"
        torch.nn.init.normal_(head.narrow.weight, std=0.3)
        write_no_model(no, head, no_embeddings(head, (), read.vectors, (), None), read)
    fitted = fit_gate(
        a_run(bank), read, tmp_path / "bank.json", config, pictures(bank, rows, rng), answers, "images of mine", path,
        no,
    )  # fmt: skip
    write_document(path, fitted)
    return path
