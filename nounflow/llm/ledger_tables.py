"""The ledger's SQLite tables. Rows are added, never changed: triggers forbid it.

A request may be sent several times; a sending has one ending, or none when the process died (or was stopped) while
it was under way. A verdict is what the asker made of an answer.
"""

from __future__ import annotations

VERSION = 1
_TABLES = {
    "runs": """
        id INTEGER PRIMARY KEY, started_at REAL NOT NULL, base_url TEXT NOT NULL, model TEXT NOT NULL,
        server TEXT NOT NULL""",
    "requests": """
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, model TEXT NOT NULL, prompt_version TEXT NOT NULL,
        parameters TEXT NOT NULL, item TEXT NOT NULL, attempt INTEGER NOT NULL, messages_hash TEXT NOT NULL""",
    "sendings": """
        id INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES requests(id), run INTEGER REFERENCES runs(id),
        sent_at REAL NOT NULL, max_output_tokens INTEGER NOT NULL, worst_usd REAL NOT NULL""",
    "endings": """
        sending INTEGER PRIMARY KEY REFERENCES sendings(id), ended_at REAL NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'refused', 'failed', 'throttled')),
        prompt_tokens INTEGER, output_tokens INTEGER, charged_usd REAL NOT NULL,
        detail TEXT NOT NULL, raw TEXT NOT NULL""",
    "verdicts": """
        id INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES requests(id), given_at REAL NOT NULL,
        accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)), reason TEXT NOT NULL""",
}


def creation_script() -> str:
    """SQL that makes an empty ledger."""
    statements = [f"CREATE TABLE {name} ({columns});" for name, columns in _TABLES.items()]
    statements += [
        f"CREATE TRIGGER {name}_{act.lower()} BEFORE {act} ON {name} "
        f"BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;"
        for name in _TABLES
        for act in ("UPDATE", "DELETE")
    ]
    statements += [
        "CREATE INDEX sendings_request ON sendings(request);",
        "CREATE INDEX verdicts_request ON verdicts(request);",
        f"PRAGMA user_version = {VERSION};",
    ]
    return "BEGIN;\n" + "\n".join(statements) + "\nCOMMIT;"


HISTORY = """
    SELECT requests.key, requests.messages_hash, sendings.id, sendings.max_output_tokens, endings.outcome, endings.raw,
           endings.detail, endings.prompt_tokens, endings.output_tokens, endings.charged_usd
    FROM json_each(?) AS wanted
    JOIN requests ON requests.key = wanted.value
    LEFT JOIN sendings ON sendings.request = requests.id
    LEFT JOIN endings ON endings.sending = sendings.id"""

UNANSWERED = """
    SELECT requests.item, requests.key, sendings.sent_at, sendings.worst_usd
    FROM sendings JOIN requests ON requests.id = sendings.request
    LEFT JOIN endings ON endings.sending = sendings.id
    WHERE endings.sending IS NULL ORDER BY sendings.id"""

TOTALS = """
    SELECT count(*), coalesce(sum(endings.outcome = 'answered'), 0), coalesce(sum(endings.sending IS NULL), 0),
           coalesce(sum(endings.prompt_tokens), 0), coalesce(sum(endings.output_tokens), 0),
           coalesce(sum(CASE WHEN endings.prompt_tokens IS NOT NULL THEN endings.charged_usd END), 0.0),
           coalesce(sum(CASE WHEN endings.sending IS NULL THEN sendings.worst_usd
                             WHEN endings.prompt_tokens IS NULL THEN endings.charged_usd END), 0.0)
    FROM sendings LEFT JOIN endings ON endings.sending = sendings.id"""

MEAN_OUTPUT = """
    SELECT avg(endings.output_tokens) FROM endings JOIN sendings ON sendings.id = endings.sending
    JOIN requests ON requests.id = sendings.request
    WHERE endings.outcome = 'answered' AND requests.model = ? AND requests.prompt_version = ?"""
