"""`nounflow onnx export`: a trained model for onnxruntime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nounflow.commands.options import add_command, path_or_name

_EXAMPLES = """\
examples:
  nounflow onnx export results/models/small --out small_onnx
  nounflow name cat.jpg --run small_onnx
"""


def add(commands: Any) -> None:
    """Add `onnx` to the parsers of `nounflow`."""
    group = commands.add_parser("onnx", help="a model for onnxruntime, on machines without PyTorch").add_subparsers(
        required=True, metavar="COMMAND"
    )
    export = add_command(
        group,
        "export",
        help="write a model and its image tower as ONNX",
        description="Write a model and its image tower as a folder of ONNX graphs, with all that naming needs, and "
        "hold its answers against PyTorch's.",
        examples=_EXAMPLES,
    )
    export.add_argument("run", type=path_or_name, metavar="RUN", help="folder, name or hub id of a model")
    export.add_argument("--out", type=Path, required=True, help="folder to write")
    export.add_argument("--int8", action="store_true", help="int8 weights, but for convolutions; the loss is told")
    export.add_argument("--decoding", metavar="NAME", help="how a decoder is read, such as greedy (default: its run's)")
    export.set_defaults(call=_export)


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.config.generation import GenerationConfig
    from nounflow.model_folders import find_model
    from nounflow.onnx.export import export_model

    generation = GenerationConfig.from_name(arguments.decoding) if arguments.decoding else None
    found = export_model(find_model(arguments.run), arguments.out, arguments.int8, generation)
    for name, megabytes in found.megabytes.items():
        print(f"{name}\t{megabytes:.1f} MB")
    print(
        f"beside PyTorch: least cosine of images {found.cosine:.5f}, first noun of texts the same for {found.same:.1%}"
    )
    print(f"nounflow name --run {arguments.out} PATH")
