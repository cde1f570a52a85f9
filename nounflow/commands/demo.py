"""The command `nounflow demo`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from nounflow.commands.options import (
    MODEL,
    add_address,
    add_command,
    add_guide,
    add_machine,
    load_classifier,
    path_or_name,
    share,
)
from nounflow.extras import need

PORT = 8767
_EXAMPLES = """\
examples:
  nounflow demo results/models/small
  nounflow demo small small_retrieval     what each of them says, side by side

The page is served to this machine alone unless --host says otherwise. Nothing is sent to anybody else.
"""


def add(commands: Any) -> None:
    """Add `demo` to the parsers of `nounflow`."""
    demo = add_command(
        commands,
        "demo",
        help="a page in the browser that names a picture",
        description="A page in the browser that names a picture: drop it, paste it or take it.",
        examples=_EXAMPLES,
    )
    words = f"folders, names or hub ids of models (default {MODEL})"
    demo.add_argument("models", nargs="*", type=path_or_name, default=[MODEL], help=words)
    add_guide(demo)
    demo.add_argument("--pictures", type=Path, metavar="DIR", help="pictures to click on, in place of three drawn ones")
    demo.add_argument("--confidence", type=share, default=0.5, metavar="P", help="of the name said to be sure")
    add_address(demo, PORT)
    add_machine(demo)
    demo.set_defaults(call=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    need("gradio", "uvicorn")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    from nounflow.images import list_images
    from nounflow.serving.demo import demo_page, draw_examples, start
    from nounflow.web.connections import listening_socket

    listening_socket(arguments.host, arguments.port).close()  # says what is wrong with them before models are loaded
    classifiers = {str(model): load_classifier(arguments, model) for model in arguments.models}
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # from here on only this machine is asked, which no proxy reaches for us
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.pictures:
            examples = [arguments.pictures / name for name in list_images(arguments.pictures)[:12]]
        else:
            examples = draw_examples(Path(temporary))
        start(demo_page(classifiers, examples, arguments.confidence), arguments.host, arguments.port, examples)
