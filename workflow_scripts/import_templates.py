"""Import prompts from the published JSON layout into two template files.

In:  a JSON file with named collections of prompts and their frequencies.
Out: a TSV of singular and one of plural templates, for captions.singular_templates and .plural_templates; the counts.

    python workflow_scripts/import_templates.py --prompts prompts.json --collections 'ImageNet1K | CIFAR' \
        --core ImageNet1KSel --singular-templates singular.tsv --plural-templates plural.tsv
"""

from pathlib import Path

from nounflow.commandline import run_stage, stage_parser


def main(
    prompts: Path,
    collections: str,
    singular_templates: Path,
    plural_templates: Path,
    core: str | None = None,
    counts: Path | None = None,
) -> None:
    """Write both files."""
    from nounflow.captions.prompts import as_tsv, read_prompts, template_rows
    from nounflow.captions.templates import Templates
    from nounflow.counts import Counts
    from nounflow.files import write_text

    found = read_prompts(prompts, [name.strip() for name in collections.split("|")], core)
    record = Counts("templates")
    singular, plural = (template_rows(found, number, record) for number in ("singular", "plural"))
    write_text(singular_templates, as_tsv(singular))
    write_text(plural_templates, as_tsv(plural))
    Templates.read(singular_templates, plural_templates)  # what the captions stage would refuse is refused here
    record.write(counts or Path(f"{singular_templates}.counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--prompts", type=Path, required=True, help="published prompts, JSON")
    parser.add_argument("--collections", required=True, help="names of collections, | between them")
    parser.add_argument("--core", help="collection whose prompts every noun gets in M1 (default: the commonest seven)")
    parser.add_argument("--singular-templates", type=Path, required=True, help="output, TSV")
    parser.add_argument("--plural-templates", type=Path, required=True, help="output, TSV")
    parser.add_argument("--counts", type=Path, help="counts, JSON (default: singular templates + .counts.json)")
    run_stage(main, parser.parse_args())
