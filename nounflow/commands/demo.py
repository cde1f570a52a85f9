"""The command `nounflow demo`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from nounflow.commands.options import add_machine, noun_list, share
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
    demo = commands.add_parser(
        "demo",
        help="a page in the browser that names a picture",
        description="A page in the browser that names a picture: drop it, paste it or take it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument("models", nargs="*", help="folders, names or hub ids of models (default results/models/small)")
    demo.add_argument("--guide", type=Path, metavar="TXT", help="answer from this list only: one noun a line")
    demo.add_argument("--pictures", type=Path, metavar="DIR", help="pictures to click on, in place of three drawn ones")
    demo.add_argument("--confidence", type=share, default=0.5, metavar="P", help="of the name said to be sure")
    demo.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    demo.add_argument("--port", type=int, default=PORT, help=f"port to listen at (default {PORT})")
    add_machine(demo)
    demo.set_defaults(call=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    need("gradio", "uvicorn")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    from nounflow.classifier import NounClassifier
    from nounflow.images import list_images
    from nounflow.process import prepare_process
    from nounflow.serving.demo import demo_page, draw_examples, start
    from nounflow.web.connections import listening_socket

    listening_socket(arguments.host, arguments.port).close()  # says what is wrong with them before models are loaded
    device = prepare_process(arguments.device, arguments.threads)
    models = arguments.models or ["results/models/small"]
    classifiers = {model: NounClassifier.load(model, device, arguments.threads) for model in models}
    if arguments.guide:
        nouns = noun_list(arguments.guide)
        classifiers = {model: classifier.guide(nouns) for model, classifier in classifiers.items()}
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # from here on only this machine is asked, which no proxy reaches for us
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.pictures:
            examples = [arguments.pictures / name for name in list_images(arguments.pictures)[:12]]
        else:
            examples = draw_examples(Path(temporary))
        start(demo_page(classifiers, examples, arguments.confidence), arguments.host, arguments.port, examples)
