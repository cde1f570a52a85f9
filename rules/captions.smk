"""Stage 2, captions: texts that name one, two or three nouns.

input:   the lexicon, templates, word lists
output:  results/captions/{lexicon}/{source}.parquet
steps:   fill templates (compose_captions: m1, m2, m3), write scenes (generate_captions: offline), and, where it is
         asked for, check them (check_captions) (docs/captions.md)
"""

CAPTIONS = "results/captions/{lexicon}/{source}.parquet"  # whoever writes them


rule compose_captions:
    input:
        nouns=rules.build_nouns.output.nouns,
        singular=resource(CONFIG.captions.singular_templates),
        plural=resource(CONFIG.captions.plural_templates),
    output:
        captions=CAPTIONS,
        counts="results/captions/{lexicon}/{source}.counts.json",
    log:
        "results/logs/captions/{lexicon}/{source}.log",
    benchmark:
        "results/benchmarks/captions/{lexicon}/{source}.tsv"
    wildcard_constraints:
        source=r"m\d",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: shaping(
            CONFIG.captions.multiset.of(wildcards.source)
        ),
        contents=contents(
            CONFIG.captions.singular_templates, CONFIG.captions.plural_templates
        ),
        seed=CONFIG.captions.seed,
        code=code("compose_captions"),
    message:
        "Composing the captions {wildcards.source} of {wildcards.lexicon}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/compose_captions.py'
        " --nouns {input.nouns:q}"
        " --singular-templates {input.singular:q}"
        " --plural-templates {input.plural:q}"
        " --source {wildcards.source:q}"
        " --settings {params.settings:q}"
        " --seed {params.seed}"
        " --out {output.captions:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule generate_captions:
    input:
        nouns=rules.build_nouns.output.nouns,
        words=[
            resource(f"{CONFIG.captions.offline_words}/{name}.tsv")
            for name in ("groups", "patterns", "words")
        ],
    output:
        captions=CAPTIONS,
        counts="results/captions/{lexicon}/{source}.counts.json",
    log:
        "results/logs/captions/{lexicon}/{source}.log",
    benchmark:
        "results/benchmarks/captions/{lexicon}/{source}.tsv"
    wildcard_constraints:
        source="offline",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=shaping(CONFIG.captions.offline),
        seed=CONFIG.captions.seed,
        code=code("generate_captions"),
    message:
        "Writing the {wildcards.source} captions of {wildcards.lexicon}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/generate_captions.py'
        " --captioner {wildcards.source:q}"
        " --nouns {input.nouns:q}"
        ' --words "$(dirname {input.words[0]:q})"'
        " --settings {params.settings:q}"
        " --seed {params.seed}"
        " --out {output.captions:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule check_captions:
    input:
        nouns=rules.build_nouns.output.nouns,
        captions=rules.generate_captions.output.captions,
    output:
        report="results/captions/{lexicon}/{source}.check.json",
        page="results/captions/{lexicon}/{source}.check.md",
        counts="results/captions/{lexicon}/{source}.check.counts.json",
    log:
        "results/logs/captions/{lexicon}/{source}.check.log",
    benchmark:
        "results/benchmarks/captions/{lexicon}/{source}.check.tsv"
    wildcard_constraints:
        source="offline",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=shaping(CONFIG.captions.checks),
        code=code("check_captions"),
    message:
        "Checking the {wildcards.source} captions of {wildcards.lexicon}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/check_captions.py'
        " --nouns {input.nouns:q}"
        " --captions {input.captions:q}"
        " --settings {params.settings:q}"
        " --out {output.report:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule ask_captions:
    input:
        nouns=rules.build_nouns.output.nouns,
    output:
        captions=CAPTIONS,
        counts="results/captions/{lexicon}/{source}.counts.json",
        report="results/captions/{lexicon}/{source}.check.json",
        page="results/captions/{lexicon}/{source}.check.md",
        quarantine="results/captions/{lexicon}/{source}.quarantine.tsv",
    log:
        "results/logs/captions/{lexicon}/{source}.log",
    benchmark:
        "results/benchmarks/captions/{lexicon}/{source}.tsv"
    wildcard_constraints:
        source="llm",
    localrule: True  # it waits for a server, which compute nodes often cannot reach
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=2880,
    params:
        settings=shaping(CONFIG.captions.llm),
        checks=shaping(CONFIG.captions.checks),
        code=code("ask_captions"),
    message:
        "Asking a language model for the captions of {wildcards.lexicon}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/ask_captions.py'
        " --nouns {input.nouns:q}"
        ' --settings {params.settings:q} "${{NOUNFLOW_LLM:-}}"'
        " --checks {params.checks:q}"
        " --out {output.captions:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
