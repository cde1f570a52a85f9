"""Import prompts from the published JSON layout into two template files.

In:  a JSON file with named collections of prompts and their frequencies.
Out: a TSV of singular and one of plural templates, for captions.singular_templates and .plural_templates; the counts.

    python workflow_scripts/import_templates.py --prompts prompts.json --collections 'ImageNet1K | CIFAR' \
        --core ImageNet1KSel --singular-templates singular.tsv --plural-templates plural.tsv
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import run_stage


def main(
    prompts: Annotated[Path, "published prompts, JSON"],
    collections: Annotated[str, "names of collections, | between them"],
    singular_templates: Annotated[Path, "output, TSV"],
    plural_templates: Annotated[Path, "output, TSV"],
    core: Annotated[str | None, "collection whose prompts every noun gets in M1 (default: the commonest seven)"] = None,
    counts: Annotated[Path | None, "counts, JSON (default: singular templates + .counts.json)"] = None,
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
    run_stage(main, __doc__)
