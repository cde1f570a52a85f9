"""`nounflow nouns`: what a lexicon says of a word, how two lexicons differ, and the published layout of both files."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nounflow.commands.options import HOME, not_over
from nounflow.errors import NounflowError

_MOST = 20  # names that a list shows
_WORDNET = "manifest of the fetched WordNet, or a folder of its files, for the senses of a vocabulary"


def add(commands: Any) -> None:
    """Add `nouns` to the parsers of `nounflow`."""
    nouns = commands.add_parser("nouns", help="look a word up in a lexicon, compare two lexicons, or exchange them")
    with_nouns = nouns.add_subparsers(required=True, metavar="COMMAND")
    show = with_nouns.add_parser("show", help="senses, forms, weight and group of a word, in any spelling of it")
    show.add_argument("word", metavar="WORD")
    show.add_argument("--nouns", type=Path, default=Path("results/nouns/small.parquet"), help="lexicon, parquet")
    show.set_defaults(call=_show)
    diff = with_nouns.add_parser("diff", help="nouns that only one of two lexicons has, and those that changed")
    diff.add_argument("before", type=Path, metavar="A", help="lexicon, parquet")
    diff.add_argument("after", type=Path, metavar="B", help="lexicon, parquet")
    diff.set_defaults(call=_diff)
    export = with_nouns.add_parser("export", help="a lexicon and the templates in the published JSON layout")
    export.add_argument("--nouns", type=Path, default=Path("results/nouns/small.parquet"), help="lexicon, parquet")
    export.add_argument("--out", type=Path, required=True, help="folder for object_nouns.json and prompts.json")
    for number in ("singular", "plural"):
        default = HOME / f"resources/templates/{number}.tsv"
        export.add_argument(f"--{number}-templates", type=Path, default=default, help="template file to write out")
    export.set_defaults(call=_export)
    read = with_nouns.add_parser("import", help="a vocabulary or prompts in the published JSON layout")
    read.add_argument("file", type=Path, metavar="FILE", help="object_nouns.json, or prompts.json")
    read.add_argument(
        "--out", type=Path, required=True, help="lexicon, parquet; for prompts a folder of template files"
    )
    read.add_argument("--wordnet", type=Path, default=Path("results/inputs/wordnet/manifest.json"), help=_WORDNET)
    read.add_argument("--collections", help="of prompts, | between them (default: all that are no core)")
    read.set_defaults(call=_import)


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.captions.prompts import published_prompts
    from nounflow.captions.templates import Templates
    from nounflow.files import write_json
    from nounflow.nouns.published import published_entries
    from nounflow.schemas.tables import read_lexicon

    entries = published_entries(read_lexicon(arguments.nouns))
    prompts = published_prompts(Templates.read(arguments.singular_templates, arguments.plural_templates))
    write_json(arguments.out / "object_nouns.json", entries)
    write_json(arguments.out / "prompts.json", prompts)
    forms = sum(len(entry["singulars"]) + len(entry["plurals"]) for entry in entries)
    print(f"{len(entries):,} nouns, {forms:,} forms, {sum(map(len, prompts['prompts'].values())):,} prompts")


def _import(arguments: argparse.Namespace) -> None:
    from nounflow.files import read_json

    not_over(arguments.out, arguments.file)
    content = read_json(arguments.file, "vocabulary or prompt file", "check its path and its text")
    if isinstance(content, dict):
        _import_prompts(arguments, content)
    else:
        _import_vocabulary(arguments)


def _import_prompts(arguments: argparse.Namespace, content: dict[str, Any]) -> None:
    from nounflow.captions.prompts import as_tsv, read_prompts, template_rows
    from nounflow.counts import Counts
    from nounflow.files import write_text

    known = content.get("prompts")
    core = "core" if isinstance(known, dict) and "core" in known else None
    chosen = (
        arguments.collections.split("|") if arguments.collections else [name for name in known or () if name != core]
    )
    prompts, counts = read_prompts(arguments.file, [name.strip() for name in chosen], core), Counts("templates")
    for number in ("singular", "plural"):
        rows = template_rows(prompts, number, counts)
        write_text(arguments.out / f"{number}.tsv", as_tsv(rows))
        print(f"{len(rows)} {number} templates")


def _import_vocabulary(arguments: argparse.Namespace) -> None:
    from nounflow.inputs import input_folder
    from nounflow.nouns.published import lexicon_of, read_vocabulary
    from nounflow.nouns.rules import load_rules
    from nounflow.nouns.selection import SenseOrder
    from nounflow.nouns.supplement import extended, read_supplement
    from nounflow.nouns.visualness import Verdict, visualness
    from nounflow.schemas.tables import LEXICON, write_table
    from nounflow.senses import WordSenses
    from nounflow.wordnet import WordNet

    entries = read_vocabulary(arguments.file)
    folder = arguments.wordnet if arguments.wordnet.is_dir() else input_folder(arguments.wordnet)
    wordnet, rules = WordNet.load(folder), load_rules(HOME / "resources/nouns/rules.yaml")
    verdicts = visualness(wordnet, rules.terms, rules.decisions, rules.pictured)
    wordnet, added = extended(wordnet, read_supplement(HOME / "resources/nouns/modern.tsv", wordnet))
    verdicts |= dict.fromkeys(added, Verdict(1.0, "of the supplement"))
    table, unknown = lexicon_of(entries, WordSenses(wordnet), SenseOrder(wordnet, rules), verdicts)
    write_table(arguments.out, table, LEXICON)
    shown = f": {', '.join(unknown[:_MOST])}" if unknown else ""
    print(f"{len(table):,} nouns, of which WordNet and the supplement lack {len(unknown):,}{shown}")


def _show(arguments: argparse.Namespace) -> None:
    import difflib

    from nounflow.schemas.tables import read_lexicon
    from nounflow.senses import LexiconForms
    from nounflow.text import canon

    table = read_lexicon(arguments.nouns)
    found = [use.noun for use in LexiconForms(table).uses(arguments.word)]
    if not found:
        near = difflib.get_close_matches(canon(arguments.word), table["canon"].to_list(), n=3)
        raise NounflowError(
            f"No noun of this lexicon is written '{arguments.word}'",
            where=arguments.nouns,
            fix=f"look for {', '.join(near)}" if near else "its counts file says what the filters dropped",
        )
    for number in found:
        row = table.row(number, named=True)
        others = table.filter(table["group"] == row["group"])["noun"].to_list() if row["group"] else []
        print("\n".join(_described(row, [noun for noun in others if noun != row["noun"]])))


def _described(row: dict[str, Any], others: list[str]) -> Iterator[str]:
    """Lines about a noun; `others`: nouns of its group."""
    yield f"{row['noun']} ({row['kind']}, {row['countability'] or 'count'}): {row['gloss']}"
    yield f"  weight    {row['weight']:.2f}, from {row['frequency']:.2e} uses for each 'the', in all senses"
    if row["visualness"] is not None:
        yield f"  photo     {row['visualness']:.2f}, how likely its first sense is a photograph's main thing"
    for name in ("singulars", "plurals"):
        shares = row[f"{name[:-1]}_shares"]
        forms = [f"{form} {share:.0%}" for form, share in zip(row[name], shares, strict=True)]
        yield f"  {name:9} {', '.join(forms) or 'none'}"
    keys = row["sense_keys"] or [""] * len(row["synsets"])
    yield f"  senses    {', '.join(f'{sense} {key}'.strip() for sense, key in zip(row['synsets'], keys, strict=True))}"
    yield f"  above     {', '.join(row['hypernyms']) or 'nothing'}"
    yield f"  same      {', '.join(others) or 'no other noun'}"
    yield f"  aliases   {', '.join(row['aliases']) or 'none'}"


def _diff(arguments: argparse.Namespace) -> None:
    from nounflow.schemas.tables import read_lexicon

    before, after = (
        {row["canon"]: row for row in read_lexicon(path).iter_rows(named=True)}
        for path in (arguments.before, arguments.after)
    )
    both = sorted(before.keys() & after.keys())
    print(f"{len(before):,} nouns before, {len(after):,} after, {len(both):,} in both")
    changes = {
        "gone": sorted(before.keys() - after.keys()),
        "new": sorted(after.keys() - before.keys()),
        "of another first sense": [name for name in both if before[name]["gloss"] != after[name]["gloss"]],
        "of other forms": [
            name for name in both if any(before[name][part] != after[name][part] for part in ("singulars", "plurals"))
        ],
        "of a weight that differs by 1 or more": [
            name for name in both if abs(before[name]["weight"] - after[name]["weight"]) >= 1
        ],
    }
    for what, names in changes.items():
        more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
        print(f"{len(names):,} {what}: {', '.join(names[:_MOST])}{more}" if names else f"none {what}")
