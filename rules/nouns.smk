"""Stage 1, nouns: the dictionary.

input:   WordNet
output:  results/nouns/{lexicon}.parquet; asked for by name, results/nouns/{lexicon}.html to look at it
steps:   select object nouns, write singular and plural forms, weigh them (docs/nouns.md)
"""

LEXICON_SOURCES = dict(
    wordnet=fetched("wordnet"),
    rules=resource("resources/nouns/rules.yaml"),
    tables=[
        resource(f"resources/nouns/{table}")
        for table in (
            "visualness.tsv",
            "decisions.tsv",
            "pictured.txt",
            "class_lists.tsv",
            "spelling.tsv",
        )
    ],
    inflection=resource("resources/nouns/inflection.yaml"),
    supplement=resource("resources/nouns/modern.tsv"),
    imports=lambda wildcards: imports_of(wildcards.lexicon),
)


rule build_nouns:
    input:
        **LEXICON_SOURCES,
    output:
        nouns="results/nouns/{lexicon}.parquet",
        counts="results/nouns/{lexicon}.counts.json",
    log:
        "results/logs/nouns/{lexicon}.log",
    benchmark:
        "results/benchmarks/nouns/{lexicon}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=lambda wildcards: shaping(CONFIG.lexicons[wildcards.lexicon]),
        code=lambda wildcards: code("build_nouns", *readers_of(wildcards.lexicon)),
    message:
        "Building the lexicon {wildcards.lexicon}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/build_nouns.py'
        " --wordnet {input.wordnet:q}"
        " --rules {input.rules:q}"
        " --inflection {input.inflection:q}"
        " --supplement {input.supplement:q}"
        " --imports {input.imports:q}"
        " --lexicon {wildcards.lexicon:q}"
        " --settings {params.settings:q}"
        " --out {output.nouns:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule lexicon_page:
    input:
        **LEXICON_SOURCES,
    output:
        page="results/nouns/{lexicon}.html",
    log:
        "results/logs/lexicon_page/{lexicon}.log",
    benchmark:
        "results/benchmarks/lexicon_page/{lexicon}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=lambda wildcards: shaping(CONFIG.lexicons[wildcards.lexicon]),
        code=lambda wildcards: code("lexicon_page", *readers_of(wildcards.lexicon)),
    message:
        "Writing the page of the lexicon {wildcards.lexicon}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/lexicon_page.py'
        " --wordnet {input.wordnet:q}"
        " --rules {input.rules:q}"
        " --inflection {input.inflection:q}"
        " --supplement {input.supplement:q}"
        " --imports {input.imports:q}"
        " --lexicon {wildcards.lexicon:q}"
        " --settings {params.settings:q}"
        " --out {output.page:q}"
        " 2>&1 | tee {log:q}"
