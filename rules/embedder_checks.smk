"""Beside the main job, embedder checks: is an embedder what it should be?

input:   check sets that you have, labelled image sets, published accuracies
output:  results/embedder_checks/{embedder}/{check_set}.json and .md, results/modality_gap/{embedder}/{image_set}.json
         and .svg
steps:   list a check set's images, embed them (embed_images), compare with class names and published values; measure
         how far images lie from the texts that belong to them (docs/embedder_checks.md)
"""

from nounflow.embedder_checks.layouts import images_folder


def check_set_images(
    name,
):
    """Where the images of a check set lie; some sets are unpacked below results/ first."""
    return str(images_folder(CONFIG.check_sets[name], RESULTS / "check_sets" / name))


def check_set_listing(
    wildcards,
):
    """Digest of a check set's image files, so that a change is noticed; the script says what is wrong with a folder."""
    folder = check_set_images(wildcards.check_set)
    return listing_of(folder) if Path(folder).is_dir() else ""


rule list_check_set:
    output:
        images="results/check_sets/{check_set}.json",
        labels="results/check_sets/{check_set}.tsv",
        counts="results/check_sets/{check_set}.counts.json",
    log:
        "results/logs/check_sets/{check_set}.log",
    benchmark:
        "results/benchmarks/check_sets/{check_set}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: shaping(CONFIG.check_sets[wildcards.check_set]),
        listing=check_set_listing,
        code=code("list_check_set"),
    message:
        "Listing the images of {wildcards.check_set}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/list_check_set.py'
        " --check-set {wildcards.check_set:q}"
        " --settings {params.settings:q}"
        " --out {output.images:q}"
        " --labels {output.labels:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule embedder_check:
    input:
        check_set=rules.list_check_set.output.images,
        images=lambda wildcards: expand(
            IMAGE_EMBEDDINGS,
            embedder=wildcards.embedder,
            image_set=wildcards.check_set,
        ),
        published=resource("resources/embedder_checks/expected.tsv"),
    output:
        check="results/embedder_checks/{embedder}/{check_set}.json",
        page="results/embedder_checks/{embedder}/{check_set}.md",
        counts="results/embedder_checks/{embedder}/{check_set}.counts.json",
    log:
        "results/logs/embedder_checks/{embedder}/{check_set}.log",
    benchmark:
        "results/benchmarks/embedder_checks/{embedder}/{check_set}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        settings=lambda wildcards: shaping(CONFIG.check_sets[wildcards.check_set]),
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        device=DEVICE,
        code=lambda wildcards: embedding_code("embedder_check", wildcards.embedder),
    message:
        "Checking {wildcards.embedder} on {wildcards.check_set}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embedder_check.py'
        " --check-set {input.check_set:q}"
        " --images {input.images:q}"
        " --settings {params.settings:q}"
        " --embedder-name {wildcards.embedder:q}"
        " --embedder {params.embedder:q}"
        " --published {input.published:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.check:q}"
        " --page {output.page:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


def gap_inputs(
    wildcards,
):
    """Labels and embeddings of an image set or a check set; nothing to wait for where the script will refuse it."""
    name = wildcards.image_set
    if name in CONFIG.check_sets:
        labels = expand(rules.list_check_set.output.labels, check_set=name)
    else:
        labels = labels_of(name)
    images = expand(IMAGE_EMBEDDINGS, embedder=wildcards.embedder, image_set=name)
    return {"labels": labels, "images": images if labels else []}


def noise_of(
    wildcards,
):
    """The noise of the first run that trains on an embedder, if it can be drawn without measurements."""
    for run in CONFIG.runs.values():
        if run.embedder == wildcards.embedder and PREDICTORS[run.predictor].trained:
            known = run.noise.scheme != "none" and not run.noise.draws_from
            return run.noise if known else None
    return None


def gap_options(
    wildcards,
    input,
):
    """The command-line options of modality_gap that not every image set has."""
    name = wildcards.image_set
    options = [f"--labels {shlex.quote(path)}" for path in input.labels]
    if name in CONFIG.check_sets:
        prompts = json.dumps(CONFIG.check_sets[name].prompts)
        options.append(f"--prompts {shlex.quote(prompts)}")
    elif CONFIG.image_sets[name].captions:
        options.append(f"--captions-in {shlex.quote(image_folder(name))}")
    if noise := noise_of(wildcards):
        options.append(f"--noise {shlex.quote(shaping(noise))}")
    return " ".join(options)


rule modality_gap:
    input:
        unpack(gap_inputs),
    output:
        gap="results/modality_gap/{embedder}/{image_set}.json",
        picture="results/modality_gap/{embedder}/{image_set}.svg",
        counts="results/modality_gap/{embedder}/{image_set}.counts.json",
    log:
        "results/logs/modality_gap/{embedder}/{image_set}.log",
    benchmark:
        "results/benchmarks/modality_gap/{embedder}/{image_set}.tsv"
    wildcard_constraints:
        image_set=any_of([*CONFIG.image_sets, *CONFIG.check_sets]),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        options=gap_options,
        images=lambda wildcards, input: input.images
        or expand(IMAGE_EMBEDDINGS, **wildcards),
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        device=DEVICE,
        code=lambda wildcards: embedding_code(
            "modality_gap",
            wildcards.embedder,
            *(SCHEMES[noise.scheme].place for noise in [noise_of(wildcards)] if noise),
        ),
    message:
        "Measuring the modality gap of {wildcards.embedder} on {wildcards.image_set}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/modality_gap.py'
        " --image-set {wildcards.image_set:q}"
        " {params.options}"
        " --images {params.images:q}"
        " --embedder {params.embedder:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.gap:q}"
        " --picture {output.picture:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
