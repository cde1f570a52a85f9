"""Collect lead images of Wikipedia pages about nouns, each with author, licence and revision. Run by hand.

In:  nouns (a lexicon of the nouns stage, or a text file with one a line); a wiki's API
Out: OUT/images/, OUT/images.tsv (a row an image), OUT/collected.sqlite (what became of each noun), OUT/counts.json

    python workflow_scripts/collect_wikipedia.py --nouns results/nouns/small.parquet --out wiki --images 1000 \
        --contact you@example.org

Goes on where it was when it is started again. Then `image_sets: {wiki: {folder: wiki/images}}` names them.
"""

from pathlib import Path

from nounflow.commandline import at_least_one, run_stage, stage_parser


def main(nouns: Path, out: Path, images: int, contact: str, api: str, pause: float, seed: int) -> None:
    """Look nouns up in an order that the seed fixes."""
    from nounflow.errors import NounflowError
    from nounflow.inputs.mediawiki import MediaWiki
    from nounflow.inputs.wikipedia import collect
    from nounflow.schemas.tables import read_lexicon
    from nounflow.streams import stream

    if nouns.suffix == ".parquet":
        words = read_lexicon(nouns)["noun"].to_list()
    elif nouns.is_file():
        words = [line.strip() for line in nouns.read_text(encoding="utf-8").splitlines() if line.strip()]
    else:
        raise NounflowError("There is no such file", where=nouns, fix="build a lexicon, or write one noun a line")
    words = sorted(set(words))
    order = stream(seed, "wikipedia").permutation(len(words))
    wiki = MediaWiki(api, contact, pause)
    collect([words[number] for number in order], out, wiki, images).write(out / "counts.json")


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon (.parquet), or a text file")
    parser.add_argument("--out", type=Path, required=True, help="folder to collect into, or to go on with")
    parser.add_argument("--images", type=at_least_one, required=True, help="how many images are wanted")
    parser.add_argument("--contact", required=True, help="your mail or web address, told to the wiki")
    parser.add_argument("--api", default="https://en.wikipedia.org/w/api.php", help="the wiki's api.php")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two requests (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the nouns")
    run_stage(main, parser.parse_args())
