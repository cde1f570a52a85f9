# Before each job's command, sourced by shell.prefix (a prefix replaces bash's strict mode).
set -euo pipefail
# A scheduler's SIGTERM goes to all processes of a job: the shell and `tee` must outlive the stage that says goodbye.
trap : TERM
# The header of a log stays out of Snakemake's own output.
tee() { trap '' TERM; command tee "$@" | sed -u '\|^# |d'; }
# Where no environment has nounflow itself (--sdm conda: environment.yml names what it needs), it is found beside the rules.
export PYTHONPATH="$(cd "$NOUNFLOW_HOME" && pwd)${PYTHONPATH:+:$PYTHONPATH}"
