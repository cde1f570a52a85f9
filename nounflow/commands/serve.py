"""The command `nounflow serve`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import add_machine, noun_list, share
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
    serve = commands.add_parser(
        "serve",
        help="answer over HTTP what is in a photograph",
        description="Answer over HTTP what is in a photograph.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument(
        "model",
        nargs="?",
        default="results/models/small",
        help="folder, name or hub id of a model (default results/models/small)",
    )
    serve.add_argument("--guide", type=Path, help="answer from this list only: a file with one noun a line")
    serve.add_argument("--gate", action="store_true", help="answers carry the verdict of the run's gate.json")
    serve.add_argument(
        "--confidence",
        type=share,
        metavar="P",
        help="answers carry the most specific name that is so probable; a request may ask for another",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    serve.add_argument("--port", type=int, default=PORT, help=f"port to listen at (default {PORT})")
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
    import uvicorn

    from nounflow.classifier import NounClassifier
    from nounflow.device import by_device
    from nounflow.llm.keys import key_of
    from nounflow.process import prepare_process
    from nounflow.serving.app import Limits, naming_app
    from nounflow.web.connections import PromptHttp, listening_socket
    from nounflow.web.security import own_names, web_address

    key = key_of(KEY) or None
    device = prepare_process(arguments.device, 1)  # a batch on each core: threads that share one wait for each other
    local = arguments.host in ("127.0.0.1", "localhost", "::1")
    with listening_socket(arguments.host, arguments.port) as listening:
        classifier = NounClassifier.load(arguments.model, device, arguments.threads)
        if arguments.guide:
            classifier = classifier.guide(noun_list(arguments.guide))
        if arguments.gate:
            classifier = classifier.gated()
        hosts = {"127.0.0.1", "localhost", "::1", arguments.host.lower(), *(n.lower() for n in arguments.allow_host)}
        limits = Limits(
            max_bytes=arguments.max_mb * 1_000_000,
            max_pixels=arguments.max_megapixels * 1_000_000,
            batch=arguments.batch or by_device(device, _CPU_BATCH, _GPU_BATCH),
            at_once=by_device(device, arguments.threads, 1),
        )
        names = hosts if local else hosts | own_names()
        app = naming_app(classifier, str(arguments.model), limits, key, names, arguments.confidence)
        address = web_address(arguments.host, listening.getsockname()[1])
        print(f"listening at {address}, {len(classifier.nouns):,} nouns", flush=True)
        if not local and key is None:
            print(f"the port is open to your network, and no key is asked for: set {KEY} to ask for one", flush=True)
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none", http=PromptHttp,
            timeout_graceful_shutdown=5, limit_concurrency=1000,
        )  # fmt: skip
        uvicorn.Server(settings).run(sockets=[listening])
