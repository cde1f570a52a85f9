"""Fit the weights of visualness anew, so that they agree with today's decisions as far as they can.

    python benchmarks/fit_visualness.py --wordnet results/inputs/wordnet/files [--write]

What the terms and `decisions.tsv` together say of each synset is taken as its label: those labels were read from
WordNet's words and glosses, class by class. A logistic regression with an L1 penalty is fitted on the terms; precision
and recall are of a threefold cross-validation. `--write` replaces `visualness.tsv`, and `decisions.tsv` by what the new
terms get wrong; reasons of decisions that stand are kept, new ones are listed, to be given one by hand.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from nounflow.nouns.evidence import read_evidence
from nounflow.nouns.visualness import terms, visualness
from nounflow.wordnet import WordNet

_FOLDER = Path(__file__).resolve().parents[1] / "resources/nouns"
_LEAST = {"gloss": 12, "first": 8, "below": 8, "head": 8}  # synsets that must share a term of a family
_TERMS = (
    "# Weights of the terms of visualness (nounflow/nouns/visualness.py), fitted by benchmarks/fit_visualness.py.\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--penalty", type=float, default=0.4, help="inverse strength of the L1 penalty")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    wordnet = WordNet.load(given.wordnet)
    evidence = read_evidence(_FOLDER)
    decisions = evidence["decisions"]
    verdicts = visualness(wordnet, evidence["terms"], decisions, evidence["pictured"])
    pictured = {wordnet.sense_ids[key] for key in evidence["pictured"] if key in wordnet.sense_ids}
    synsets = [synset for synset in wordnet.synsets.values() if not synset.is_instance]
    labels = np.array([verdicts[synset.id].score > 0.5 for synset in synsets])
    found = [frozenset(terms(wordnet, synset, synset.id in pictured)) for synset in synsets]
    counts = Counter(term for those in found for term in those)
    names = sorted(term for term, n in counts.items() if n >= _LEAST.get(term.partition(":")[0], 1))
    place = {term: i for i, term in enumerate(names)}
    pairs = [(row, place[term]) for row, those in enumerate(found) for term in those if term in place]
    rows, columns = np.array(pairs).T
    matrix = csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(synsets), len(names)))
    model = LogisticRegression(penalty="l1", C=given.penalty, solver="liblinear", random_state=1)
    folds = StratifiedKFold(3, shuffle=True, random_state=1)
    guessed = cross_val_predict(model, matrix, labels, cv=folds)
    hits = (guessed & labels).sum()
    print(f"terms alone, cross-validated: precision {hits / guessed.sum():.3f}, recall {hits / labels.sum():.3f}")
    model.fit(matrix, labels)
    weights = {term: round(float(weight), 2) for term, weight in zip(names, model.coef_[0], strict=True)}
    weights = {term: weight for term, weight in weights.items() if weight} | {
        "bias": round(float(model.intercept_[0]), 2)
    }
    alone = visualness(wordnet, weights, {}, evidence["pictured"])
    wrong = {
        s.sense_keys[0]: verdicts[s.id]
        for s in wordnet.synsets.values()
        if (alone[s.id].score > 0.5) != (verdicts[s.id].score > 0.5)
    }
    known = {wordnet.sense_ids[key]: (key, decision.reason) for key, decision in decisions.items()}
    print(f"{len(weights):,} terms, {len(wrong):,} decisions (now {len(evidence['terms']):,} and {len(decisions):,})")
    if given.write:
        lines = "".join(f"{term}\t{weight:g}\n" for term, weight in sorted(weights.items()))
        (_FOLDER / "visualness.tsv").write_text(f"{_TERMS}term\tweight\n{lines}", encoding="utf-8")
        heading = (_FOLDER / "decisions.tsv").read_text(encoding="utf-8").split("sense_key")[0]
        told = sorted(
            (*known.get(wordnet.sense_ids[key], (key, "REASON")), verdict.score > 0.5) for key, verdict in wrong.items()
        )
        text = "".join(f"{key}\t{'yes' if shown else 'no'}\t{reason}\n" for key, reason, shown in told)
        (_FOLDER / "decisions.tsv").write_text(f"{heading}sense_key\tphotographed\treason\n{text}", encoding="utf-8")
        print("new, without a reason yet:", ", ".join(key for key, reason, _ in told if reason == "REASON") or "none")


if __name__ == "__main__":
    main()
