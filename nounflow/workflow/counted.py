"""The counts of everything that stands behind the scores."""

from nounflow.config.experiment import Config


def counts_of_all_stages(config: Config) -> list[str]:
    """Paths of `*.counts.json`, in the order of the stages, whatever the config's order."""
    runs = config.runs.values()
    sets = sorted({(run.embedder, run.lexicon, run.mixture) for run in runs})
    shards = sorted(
        {
            (embedder, lexicon, source, shard)
            for embedder, lexicon, mixture in sets
            for source in config.mixtures[mixture].weights
            for shard in range(config.captions.shards(source))
        }
    )
    inputs = {"wordnet", *(part.source for part in config.image_sets.values() if part.source)}
    names = [
        *(f"inputs/{name}/manifest" for name in sorted(inputs)),
        *(f"nouns/{lexicon}" for lexicon in sorted({run.lexicon for run in runs})),
        *(f"captions/{lexicon}/{source}" for lexicon, source in sorted({shard[1:3] for shard in shards})),
        *(f"embeddings/{'/'.join(map(str, shard))}" for shard in shards),
        *(f"training_sets/{'/'.join(part)}/manifest" for part in sets),
        *(f"models/{run}/manifest" for run in sorted(config.runs)),
        *(
            f"image_embeddings/{embedder}/{image_set}"
            for embedder in sorted({run.embedder for run in runs})
            for image_set in sorted(config.image_sets)
        ),
        *sorted(f"predictions/{run}/{image_set}" for run in config.runs for image_set in config.image_sets),
        *sorted(f"annotations/{image_set}/{name}" for image_set in config.image_sets for name in config.annotators),
        "scores",
    ]
    return [f"results/{name}.counts.json" for name in names]
