"""Stage 6, predictions: images embedded once for each embedder, then named by each run.

input:   image sets, predictors (of a fused run its parts, too)
output:  results/image_embeddings/{embedder}/{image_set}.json and .zarr, results/predictions/{run}/{image_set}.json;
         on request results/models/{run}/caption_calibration.json
steps:   decode and embed images, keep the unreadable ones by name; write nouns (docs/predictions.md)
"""

CAPTION_CALIBRATION = "results/models/{run}/caption_calibration.json"


def image_inputs(
    wildcards,
):
    """What an image set is made of, as input files: a fetched source's manifest; of a check set the list of images."""
    name = wildcards.image_set
    if name in CONFIG.check_sets:
        return {"labels": expand(rules.list_check_set.output.labels, check_set=name)}
    return {"fetched": fetched_images(name)}


def image_options(
    wildcards,
    input,
):
    """The command-line options that say where an image set's files are, and which of them count."""
    name = wildcards.image_set
    if name in CONFIG.check_sets:
        folder = check_set_images(name)
        return f"--folder {shlex.quote(folder)} --labels {shlex.quote(str(input.labels))} --only-labelled"
    image_set = CONFIG.image_sets[name]
    options = [f"--folder {shlex.quote(image_folder(name))}"]
    if image_set.only_labelled:
        labels = shlex.quote(labels_of(name)[0])
        options.append(f"--labels {labels} --only-labelled")
    return " ".join(options)


def listing(
    wildcards,
):
    """Digest of the images that count, so that a new one is noticed; which noun is right for them does not matter."""
    name = wildcards.image_set
    if name in CONFIG.check_sets:  # its list of images is an input
        return ""
    image_set = CONFIG.image_sets[name]
    found = [listing_of(image_set.folder)] if image_set.folder else []
    if image_set.only_labelled:
        names = list(read_labels(resource(image_set.labels)))
        found.append(f"images {sha256_json(names)[:16]}")
    return " ".join(found)


rule embed_images:
    input:
        unpack(image_inputs),
    output:
        **arrays_if_cached("results/image_embeddings/{embedder}/{image_set}.zarr"),
        manifest=IMAGE_EMBEDDINGS,
        counts="results/image_embeddings/{embedder}/{image_set}.counts.json",
    log:
        "results/logs/image_embeddings/{embedder}/{image_set}.log",
    benchmark:
        "results/benchmarks/image_embeddings/{embedder}/{image_set}.tsv"
    wildcard_constraints:
        image_set=any_of([*CONFIG.image_sets, *CONFIG.check_sets]),
    cache: CACHED
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        part=lambda wildcards: wildcards.image_set,  # the cache's key has no wildcards
        images=image_options,
        listing=listing,
        embedder=lambda wildcards: shaping(
            CONFIG.embedders[wildcards.embedder].of_images()
        ),
        device=DEVICE,
        code=lambda wildcards: embedding_code("embed_images", wildcards.embedder),
    message:
        "Embedding the images of {wildcards.image_set} with {wildcards.embedder}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embed_images.py'
        " --image-set {wildcards.image_set:q}"
        " {params.images}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.manifest:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


not_benchmarked_if_cached()


rule embed_views:
    input:
        lambda wildcards: fetched(CONFIG.tags.sets[wildcards.tag_set].source or []),
    output:
        views=expand(
            "results/image_embeddings/{{embedder}}/{{tag_set}}/{view}.json", view=VIEWS
        ),
        counts="results/image_embeddings/{embedder}/{tag_set}/views.counts.json",
    log:
        "results/logs/image_embeddings/{embedder}/{tag_set}/views.log",
    benchmark:
        "results/benchmarks/image_embeddings/{embedder}/{tag_set}/views.tsv"
    wildcard_constraints:
        tag_set=any_of(CONFIG.tags.sets),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
    params:
        images=lambda wildcards, input: CONFIG.tags.sets[wildcards.tag_set].folder
        or input[0],
        views=VIEWS,
        listing=lambda wildcards: listing_of(CONFIG.tags.sets[wildcards.tag_set].folder),
        embedder=lambda wildcards: shaping(
            CONFIG.embedders[wildcards.embedder].of_images()
        ),
        device=DEVICE,
        code=lambda wildcards: embedding_code("embed_views", wildcards.embedder),
    message:
        "Embedding views of the images of {wildcards.tag_set} with {wildcards.embedder}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embed_views.py'
        " --image-set {wildcards.tag_set:q}"
        " --folder {params.images:q}"
        " --views {params.views}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        ' --out "$(dirname {output.counts:q})"'
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


def weights_of(
    wildcards,
):
    """What a run's answers are computed from, beside its manifest."""
    parts = parts_of(wildcards)
    return [
        *expand(MODEL, run=parts),
        *(
            f"results/models/{run}/{PREDICTORS[CONFIG.runs[run].predictor].weights}"
            for run in (wildcards.run, *parts)
        ),
    ]


def generation_of(
    run,
):
    """How a run is read, as JSON; nothing for kinds that are not."""
    writes = PREDICTORS[CONFIG.runs[run].predictor].writes_tokens
    return shaping(CONFIG.runs[run].generation) if writes else "{}"


def predicting_code(
    wildcards,
):
    """Fingerprint of what answers for a run; unguided, a decoder spells with its embedder's tokenizer."""
    names = (wildcards.run, *parts_of(wildcards))
    spells = any(
        PREDICTORS[CONFIG.runs[name].predictor].writes_tokens for name in names
    )
    tokenizer = [embedder_of(wildcards).family.tokenizer] * spells
    return code("predict", *answering(wildcards), *tokenizer)


rule calibrate:
    input:
        model=MODEL,
        weights=weights_of,
        training_set=lambda wildcards: expand(
            rules.merge_caches.output.manifest, **set_of(CONFIG.runs[wildcards.run])
        ),
        nouns=lambda wildcards: expand(
            rules.build_nouns.output.nouns, lexicon=CONFIG.runs[wildcards.run].lexicon
        ),
    output:
        calibration=CAPTION_CALIBRATION,
    log:
        "results/logs/calibrations/{run}.log",
    benchmark:
        "results/benchmarks/calibrations/{run}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        device=DEVICE,
        code=lambda wildcards: code(
            "calibrate",
            *answering(wildcards),
            *filter(None, [view_of(embedder_of(wildcards).spec)]),
        ),
    message:
        "Fitting the probabilities of {wildcards.run} to captions"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/calibrate.py'
        " --model {input.model:q}"
        " --training-set {input.training_set:q}"
        " --nouns {input.nouns:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.calibration:q}"
        " 2>&1 | tee {log:q}"


rule predict:
    input:
        predictor=MODEL,
        weights=weights_of,
        images=lambda wildcards: expand(
            IMAGE_EMBEDDINGS,
            embedder=CONFIG.runs[wildcards.run].embedder,
            image_set=wildcards.image_set,
        ),
    output:
        predictions="results/predictions/{run}/{image_set}.json",
        counts="results/predictions/{run}/{image_set}.counts.json",
    log:
        "results/logs/predictions/{run}/{image_set}.log",
    benchmark:
        "results/benchmarks/predictions/{run}/{image_set}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        generation=lambda wildcards: generation_of(wildcards.run),
        device=DEVICE,
        code=predicting_code,
    message:
        "Naming the images of {wildcards.image_set} with {wildcards.run}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/predict.py'
        " --predictor {input.predictor:q}"
        " --images {input.images:q}"
        " --image-set {wildcards.image_set:q}"
        " --generation {params.generation:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.predictions:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
