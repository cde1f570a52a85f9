"""Stage 0, inputs: what is fetched, with source, version, digest and size.

input:   nothing; scenes are composed from what was fetched
output:  results/inputs/{name}/manifest.json and the files it names
steps:   look for an installed copy, else ask the package managers (docs/inputs.md)
"""


rule fetch_inputs:
    output:
        manifest="results/inputs/{name}/manifest.json",
        counts="results/inputs/{name}/manifest.counts.json",
    log:
        "results/logs/inputs/{name}.log",
    wildcard_constraints:
        name="|".join(INPUTS),
    localrule: True  # compute nodes often have no network
    conda:
        "../environment.yml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        code=lambda wildcards: code("fetch_inputs", INPUTS[wildcards.name]),
    message:
        "Fetching {wildcards.name}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/fetch_inputs.py'
        " --name {wildcards.name:q}"
        ' --out "$(dirname {output.manifest:q})"'
        " 2>&1 | tee {log:q}"


# where results lie for what is no input or output: with the prefix, where this is a module of another workflow
RESULTS = Path(rules.fetch_inputs.output.manifest).parents[2]


rule compose_scenes:
    input:
        photos="results/inputs/tuxpaint/manifest.json",
        labels=resource(CONFIG.scenes.photos),
        wordnet="results/inputs/wordnet/manifest.json",
    output:
        manifest="results/inputs/scenes/manifest.json",
        counts="results/inputs/scenes/manifest.counts.json",
    log:
        "results/logs/inputs/scenes.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        scenes=CONFIG.scenes.count,
        seed=f"--seed {CONFIG.scenes.seed}",  # named: Snakemake compares parameters as a set
        code=code("compose_scenes"),
    message:
        "Composing {params.scenes} scenes from cut-outs"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/compose_scenes.py'
        " --photos {input.photos:q}"
        " --labels {input.labels:q}"
        " --wordnet {input.wordnet:q}"
        " --scenes {params.scenes}"
        " {params.seed}"
        ' --out "$(dirname {output.manifest:q})"'
        " 2>&1 | tee {log:q}"
