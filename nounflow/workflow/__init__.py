"""What stands, what runs and what would run: Snakemake's answers, made short."""
