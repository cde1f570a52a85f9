"""`nounflow import-novic`: a published checkpoint as a run."""

import argparse
from pathlib import Path
from typing import Any

from nounflow.commandline import at_least_one


def add(commands: Any) -> None:
    """Add `import-novic` to the parsers of `nounflow`."""
    novic = commands.add_parser("import-novic", help="make a published NOVIC checkpoint a run that names images")
    novic.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .train or .model file")
    novic.add_argument("--out", type=Path, required=True, help="folder to write, for `nounflow name --run`")
    novic.add_argument(
        "--embedder", type=_embedder_spec, metavar="SPEC", help="by default the one that the checkpoint names"
    )
    novic.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the embedder")
    novic.add_argument("--ignore", action="append", default=[], metavar="NAME", help="pass over an unknown entry")
    novic.add_argument("--device", default="auto", help="auto, cpu or cuda")
    novic.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    novic.set_defaults(call=_import_novic)


def _embedder_spec(text: str) -> str:
    import pydantic

    from nounflow.config.embedder import EmbedderConfig

    try:
        return EmbedderConfig(spec=text).spec
    except pydantic.ValidationError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error.errors()[0]['msg']}") from error


def _import_novic(arguments: argparse.Namespace) -> None:
    from nounflow.config.embedder import EmbedderConfig
    from nounflow.decoder.novic import read_checkpoint
    from nounflow.embedders.load import load_embedder
    from nounflow.predictors.novic import embedder_spec, import_decoder

    published = read_checkpoint(arguments.checkpoint, arguments.ignore)
    spec = arguments.embedder or embedder_spec(published.embedder)
    config = EmbedderConfig(spec=spec, precision=arguments.precision)
    embedder = load_embedder(config, arguments.device, arguments.threads)
    manifest, repeated = import_decoder(arguments.checkpoint, published, embedder, arguments.out)
    print(f"{manifest.parameters:,} parameters, {len(manifest.nouns):,} nouns, embedder {manifest.embedder.spec}")
    if published.not_read:
        print(f"of training only, not read: {', '.join(published.not_read)}")
    if repeated:
        print(f"{len(repeated):,} nouns left out, spelled like another: {', '.join(repeated)}")
    print(f"nounflow name --run {arguments.out} PATH")
