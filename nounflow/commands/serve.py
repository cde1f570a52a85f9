"""The command `nounflow serve`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from nounflow.commandline import at_least_one
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

PORT = 8766
# On a CPU an image of a larger batch takes as long or, beyond the caches, longer (benchmarks/results/product.md).
_CPU_BATCH, _GPU_BATCH = 8, 32
KEY = "NOUNFLOW_API_KEY"
_EXAMPLES = """\
examples:
  nounflow serve results/models/small
  curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' 'http://127.0.0.1:8766/name?top=5'
  curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' 'http://127.0.0.1:8766/name?noun=cat&noun=dog'
  curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' 'http://127.0.0.1:8766/name?confidence=0.8'
  curl --data-binary @street.jpg -H 'Content-Type: image/jpeg' 'http://127.0.0.1:8766/tags?most=5'
  curl --data-binary @street.jpg -H 'Content-Type: image/jpeg' 'http://127.0.0.1:8766/regions'

/docs describes the requests, /healthz says whether the server is up, /metrics is for Prometheus.
With NOUNFLOW_API_KEY in the environment, clients must send `Authorization: Bearer KEY`.
"""


def add(commands: Any) -> None:
    """Add `serve` to the parsers of `nounflow`."""
    what = "answer over HTTP what is in a photograph"
    serve = add_command(commands, "serve", help=what, description=f"{what.capitalize()}.", examples=_EXAMPLES)
    words = "folder, name or hub id of a model"
    serve.add_argument("model", nargs="?", type=path_or_name, default=MODEL, help=words)
    add_guide(serve)
    serve.add_argument("--gate", action="store_true", help="answers carry the verdict of the run's gate.json")
    serve.add_argument(
        "--confidence",
        type=share,
        metavar="P",
        help="answers carry the most specific name that is so probable; a request may ask for another",
    )
    add_address(serve, PORT)
    serve.add_argument("--allow-host", action="append", default=[], help="a further name of this machine")
    serve.add_argument("--max-mb", type=at_least_one, default=20, help="of an image's file (default 20)")
    serve.add_argument("--max-megapixels", type=at_least_one, default=50, help="of an image (default 50)")
    serve.add_argument(
        "--batch", type=at_least_one, help=f"images named together (default {_CPU_BATCH}, on a GPU {_GPU_BATCH})"
    )
    add_machine(serve)
    serve.set_defaults(call=_serve)


def _serve(arguments: argparse.Namespace) -> None:
    need("fastapi", "uvicorn", "prometheus_client")
    from nounflow.device import by_device
    from nounflow.llm.keys import key_of
    from nounflow.serving.app import Limits, naming_app
    from nounflow.web.connections import listening_socket, run_app
    from nounflow.web.security import LOOPBACK, own_names, web_address

    warnings.filterwarnings("ignore", ".*nouns that this model cannot say")  # its client is told, in the answer
    key = key_of(KEY) or None
    local = arguments.host in LOOPBACK
    with listening_socket(arguments.host, arguments.port) as listening:
        # a batch on each core: threads that share one wait for each other
        classifier = load_classifier(arguments, arguments.model, torch_threads=1)
        if arguments.gate:
            classifier = classifier.gated()
        hosts = {*LOOPBACK, arguments.host.lower(), *(n.lower() for n in arguments.allow_host)}
        limits = Limits(
            max_bytes=arguments.max_mb * 1_000_000,
            max_pixels=arguments.max_megapixels * 1_000_000,
            batch=arguments.batch or by_device(classifier.device, _CPU_BATCH, _GPU_BATCH),
            at_once=by_device(classifier.device, arguments.threads, 1),
        )
        names = hosts if local else hosts | own_names()
        app = naming_app(classifier, str(arguments.model), limits, key, names, arguments.confidence)
        address = web_address(arguments.host, listening.getsockname()[1])
        print(f"listening at {address}, {len(classifier.nouns):,} nouns", flush=True)
        if not local and key is None:
            print(f"the port is open to your network, and no key is asked for: set {KEY} to ask for one", flush=True)
        run_app(app, listening, end_s=5, connections=1000)
