"""Collect lead images of Wikipedia pages about nouns, each with author, licence and revision. Run by hand.

In:  nouns (a lexicon of the nouns stage, or a text file with one a line); a wiki's API
Out: OUT/images/, OUT/images.tsv (a row an image), OUT/collected.sqlite (what became of each noun), OUT/counts.json

    python workflow_scripts/collect_wikipedia.py --nouns results/nouns/small.parquet --out wiki --images 1000 \
        --contact you@example.org

Goes on where it was when it is started again. Then `image_sets: {wiki: {folder: wiki/images}}` names them.
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Count, run_stage


def main(
    nouns: Annotated[Path, "lexicon (.parquet), or a text file"],
    out: Annotated[Path, "folder to collect into, or to go on with"],
    images: Annotated[Count, "how many images are wanted"],
    contact: Annotated[str, "your mail or web address, told to the wiki"],
    api: Annotated[str, "the wiki's api.php"] = "https://en.wikipedia.org/w/api.php",
    pause: Annotated[float, "seconds between two requests (default 1)"] = 1.0,
    seed: Annotated[int, "of the order of the nouns"] = 1,
) -> None:
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
    run_stage(main, __doc__)
