"""How fast open-set scores are, and in how much memory: random unit vectors.

python benchmarks/open_set_speed.py --images 100000 --nouns 4636 --negatives 10000 --threads 2
"""

import argparse
import resource
import time

import numpy as np
from threadpoolctl import threadpool_limits

from nounflow.open_set.bank import unit
from nounflow.open_set.reference import Reference


def main() -> None:
    """Time each score alone, then all together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--nouns", type=int, default=4_636)
    parser.add_argument("--negatives", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    images, known, negatives, no = (
        unit(rng.standard_normal((rows, arguments.dim), dtype=np.float32))
        for rows in (arguments.images, arguments.nouns, arguments.negatives, arguments.nouns)
    )
    plain, with_no = Reference(known, 0.01), Reference(known, 0.01, no=no)
    with_negatives = Reference(known, 0.01, negatives, arguments.groups)
    with threadpool_limits(arguments.threads):
        for held, methods in (
            (plain, ("maxlogit",)),
            (plain, ("energy",)),
            (plain, ("mcm",)),
            (with_no, ("ctw", "atd")),
            (with_negatives, ("neglabel",)),
            (with_negatives, ("negrefine",)),
        ):
            start, worked = time.perf_counter(), time.process_time()
            held.scores(images, methods)
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            worked = time.process_time() - worked
            print(
                f"{' and '.join(methods):14} {seconds:6.1f} s, {worked:.1f} s of CPU, peak {peak:,.0f} MB", flush=True
            )


if __name__ == "__main__":
    main()
