"""A lexicon as one HTML page: search, counts by class, the curve of weights, what each filter removed.

Inputs: as of `build_nouns.py`, which this script repeats in memory, since the lexicon does not hold what was removed.
Output: the page.

    python workflow_scripts/lexicon_page.py --wordnet results/inputs/wordnet/manifest.json \
        --rules resources/nouns/rules.yaml --inflection resources/nouns/inflection.yaml \
        --supplement resources/nouns/modern.tsv --lexicon small --settings '{}' --out results/nouns/small.html
"""

import runpy
from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.lexicon import LexiconConfig


def main(
    wordnet: Path,
    rules: Path,
    inflection: Path,
    supplement: Path,
    imports: list[Path],
    lexicon: str,
    settings: LexiconConfig,
    out: Path,
) -> None:
    """Build the lexicon, write its page."""
    from nounflow.files import write_text
    from nounflow.inputs import input_folder
    from nounflow.nouns.frequencies import load_frequencies
    from nounflow.nouns.imported import read_imports
    from nounflow.nouns.inflection_lists import load_inflection_lists
    from nounflow.nouns.lexicon import build_lexicon
    from nounflow.nouns.page import lexicon_page
    from nounflow.nouns.rules import load_rules
    from nounflow.nouns.supplement import extended, read_supplement
    from nounflow.wordnet import WordNet

    words = WordNet.load(wordnet if wordnet.is_dir() else input_folder(wordnet))
    build = runpy.run_path(str(Path(__file__).with_name("build_nouns.py")))
    count_pieces = build["piece_counter"](build["bundled_tokenizer"]()) if settings.max_pieces else None
    added = read_supplement(supplement, words) if settings.supplement else ()
    words, _ = extended(words, read_imports(imports, words, added))
    frequencies = load_frequencies(words.index.__contains__)
    lists, dropped = load_inflection_lists(inflection), dict[str, str]()
    table, counts = build_lexicon(
        words, settings, load_rules(rules), frequencies, count_pieces, lexicon, lists, added, dropped
    )
    write_text(out, lexicon_page(lexicon, table, counts.as_dict(), dropped))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--wordnet", type=Path, required=True, help="manifest of the fetched WordNet, or a folder of its files"
    )
    parser.add_argument("--rules", type=Path, required=True, help="rule file (YAML)")
    parser.add_argument("--inflection", type=Path, required=True, help="lists of plurals and countability (YAML)")
    parser.add_argument("--supplement", type=Path, required=True, help="nouns that WordNet lacks (TSV)")
    parser.add_argument("--imports", nargs="*", type=Path, default=[], help="manifests of further sources of nouns")
    parser.add_argument("--lexicon", required=True, help="name of the lexicon, for its title")
    parser.add_argument("--settings", type=json_settings(LexiconConfig), required=True, help="its settings (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="page (HTML)")
    run_stage(main, parser.parse_args())
