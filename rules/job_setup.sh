# Before each job's command, sourced by shell.prefix (a prefix replaces bash's strict mode).
set -euo pipefail
# A scheduler's SIGTERM goes to all processes of a job: the shell and `tee` must outlive the stage that says goodbye.
trap : TERM
# The header of a log stays out of Snakemake's own output.
tee() { trap '' TERM; command tee "$@" | sed -u '\|^# |d'; }
