"""Build a lexicon: WordNet's object nouns with their forms, senses and weights.

Inputs: a WordNet folder (`data.noun`, `index.noun`, and `noun.exc`, `cntlist.rev` or `index.sense` if present), the
rule file, the lexicon's settings, and a `tokenizer.json` where `max_pieces` is set. Word frequencies come with the
packages wordsegment and wordfreq.
Outputs: the lexicon (parquet, schema NOUNS) and what was kept and dropped (JSON).

    python workflow_scripts/build_nouns.py --wordnet results/inputs/wordnet --rules resources/nouns/rules.yaml \
        --lexicon small --settings '{}' --tokenizer tokenizer.json \
        --out results/nouns/small.parquet --counts results/nouns/small.counts.json
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.lexicon import LexiconConfig
from nounflow.errors import NounflowError


def main(
    wordnet: Path, rules: Path, lexicon: str, settings: LexiconConfig, tokenizer: Path | None, out: Path, counts: Path
) -> None:
    """Read the inputs, build the lexicon, write it and its counts."""
    from nounflow.nouns.frequencies import load_frequencies
    from nounflow.nouns.lexicon import build_lexicon
    from nounflow.nouns.rules import load_rules
    from nounflow.schemas.tables import NOUNS, write_table
    from nounflow.wordnet import WordNet

    words = WordNet.load(wordnet)
    count_pieces = piece_counter(tokenizer) if settings.max_pieces and tokenizer is not None else None
    frequencies = load_frequencies(words.index.__contains__)
    print(f"lexicon {lexicon}: {settings.model_dump_json()}", flush=True)
    table, tally = build_lexicon(words, settings, load_rules(rules), frequencies, count_pieces)
    write_table(out, table, NOUNS)
    tally.write(counts)


def piece_counter(tokenizer: Path) -> Callable[[str], int]:
    """Word pieces of a text, without special tokens, by a `tokenizer.json`."""
    from tokenizers import Tokenizer

    try:
        model = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises bare Exceptions
        raise NounflowError(
            f"The tokenizer cannot be read ({error})", where=tokenizer, fix="give a tokenizer.json of the tokenizers library"
        ) from None
    model.no_padding()
    model.no_truncation()
    return lambda text: len(model.encode(text, add_special_tokens=False).ids)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder of the WordNet database files")
    parser.add_argument("--rules", type=Path, required=True, help="rule file (YAML)")
    parser.add_argument("--lexicon", required=True, help="name of the lexicon, for the log")
    parser.add_argument("--settings", type=json_settings(LexiconConfig), required=True, help="its settings (JSON)")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json that counts word pieces, for max_pieces")
    parser.add_argument("--out", type=Path, required=True, help="lexicon (parquet)")
    parser.add_argument("--counts", type=Path, required=True, help="counts (JSON)")
    run_stage(main, parser.parse_args())
