"""Stage 5, models: training, and the baselines that a decoder must beat.

input:   a training set, the lexicon; of a fused run its parts
output:  results/models/{run}/manifest.json, with weights.safetensors (fused: rule.json) and the curves beside it
steps:   one rule for each kind of predictor (`nounflow.predictor_kinds`); a run names which. A killed job goes on from
         results/models/{run}/checkpoint/, which no rule declares (docs/decoder.md)
"""

MODEL = "results/models/{run}/manifest.json"


def set_of(
    run,
):
    """What tells a run's training set apart."""
    return {key: getattr(run, key) for key in ("embedder", "lexicon", "mixture")}


def training_inputs(
    wildcards,
):
    """Training set and lexicon; captions where templates are held out, for only they say which text is of which; the
    measured gap where the noise is matched to images; the parts of a fused run."""
    run = CONFIG.runs[wildcards.run]
    held_out = PREDICTORS[run.predictor].trained and run.training.heldout_templates
    sources = CONFIG.mixtures[run.mixture].weights if held_out else []
    images = run.noise.images if run.noise.needs_images else []
    return {
        "training_set": expand(rules.merge_caches.output.manifest, **set_of(run)),
        "nouns": expand(rules.build_nouns.output.nouns, lexicon=run.lexicon),
        "captions": expand(CAPTIONS, lexicon=run.lexicon, source=sources),
        "gap": expand(rules.measure_gap.output.gap, image_set=images, **set_of(run)),
        "parts": expand(MODEL, run=parts_of(wildcards)),
    }


def parts_of(
    wildcards,
):
    """Names of the runs that a fused run combines."""
    run = CONFIG.runs[wildcards.run]
    return run.fused.parts if PREDICTORS[run.predictor].combines else ()


def embedder_of(
    wildcards,
):
    """The embedder of a run."""
    return CONFIG.embedders[CONFIG.runs[wildcards.run].embedder]


def answering(
    wildcards,
):
    """Places in the code of what answers for a run, and behind it for its parts."""
    names = (wildcards.run, *parts_of(wildcards))
    return [PREDICTORS[CONFIG.runs[name].predictor].load for name in names]


def training_code(
    wildcards,
):
    """Fingerprint of what makes a run's predictor."""
    run = CONFIG.runs[wildcards.run]
    kind = PREDICTORS[run.predictor]
    places = kind.settings, kind.train, SCHEMES[run.noise.scheme].place
    parts = answering(wildcards)[1:]
    return code("train_model", *places, *parts, embedder_of(wildcards).family.tokenizer)


for predictor, kind in PREDICTORS.items():

    rule:
        name:
            kind.rule
        input:
            unpack(training_inputs),
        output:
            manifest=MODEL,
            weights=f"results/models/{{run}}/{kind.weights}",
            leaves=[f"results/models/{{run}}/{name}" for name in kind.leaves],
            counts="results/models/{run}/manifest.counts.json",
        log:
            "results/logs/models/{run}.log",
        benchmark:
            "results/benchmarks/models/{run}.tsv"
        wildcard_constraints:
            run=any_of(
                name for name, run in CONFIG.runs.items() if run.predictor == predictor
            ),
        conda:
            "../environment.yml"
        threads: CONFIG.threads
        resources:
            gpu=GPU if kind.gpu else 0,
            mem_mb=8000,
            runtime=kind.minutes,
        params:
            rule=kind.rule,
            settings=lambda wildcards: shaping(CONFIG.runs[wildcards.run]),
            embedder=lambda wildcards: shaping(embedder_of(wildcards).of_tokens()),
            device=DEVICE,
            threads=THREADS if kind.trained else "any",
            code=training_code,
        message:
            f"{kind.says} {{wildcards.run}}"
        shell:
            'export NOUNFLOW_RULE={params.rule}; python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/train_model.py'
            " --run {wildcards.run:q}"
            ' --settings {params.settings:q} "${{NOUNFLOW_RUN_{wildcards.run}:-}}"'
            " --training-set {input.training_set:q}"
            " --nouns {input.nouns:q}"
            " --captions {input.captions:q}"
            " --gap {input.gap:q}"
            " --parts {input.parts:q}"
            " --embedder {params.embedder:q}"
            ' --device "$NOUNFLOW_DEVICE"'
            ' --threads "$NOUNFLOW_THREADS"'
            " --out {output.manifest:q}"
            " 2>&1 | tee {log:q}"
