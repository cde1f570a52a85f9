"""`nounflow nouns`: what a lexicon says of a word, and how two lexicons differ."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError

_MOST = 20  # names that a list shows


def add(commands: Any) -> None:
    """Add `nouns` to the parsers of `nounflow`."""
    nouns = commands.add_parser("nouns", help="look a word up in a lexicon, or compare two lexicons")
    with_nouns = nouns.add_subparsers(required=True, metavar="COMMAND")
    show = with_nouns.add_parser("show", help="senses, forms, weight and group of a word, in any spelling of it")
    show.add_argument("word", metavar="WORD")
    show.add_argument("--nouns", type=Path, default=Path("results/nouns/small.parquet"), help="lexicon, parquet")
    show.set_defaults(call=_show)
    diff = with_nouns.add_parser("diff", help="nouns that only one of two lexicons has, and those that changed")
    diff.add_argument("before", type=Path, metavar="A", help="lexicon, parquet")
    diff.add_argument("after", type=Path, metavar="B", help="lexicon, parquet")
    diff.set_defaults(call=_diff)


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
