"""The ledger's SQLite tables. Rows are added, never changed: triggers forbid it.

A request may be sent several times; a sending has one ending, or none when the process died (or was stopped) while
it was under way. A verdict is what the asker made of an answer. A batch has lines, each a sending, and events, the
latest of which is its state; when it is closed each of its lines has an ending.
"""

from nounflow.journal import Additions

_FIRST_TABLES = {
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
_BATCH_TABLES = {
    "batches": """
        id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, run INTEGER, planned_at REAL NOT NULL,
        base_url TEXT NOT NULL, model TEXT NOT NULL, prompt_tokens INTEGER NOT NULL""",
    "batch_lines": "sending INTEGER PRIMARY KEY REFERENCES sendings(id), batch INTEGER NOT NULL REFERENCES batches(id)",
    "batch_events": """
        id INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batches(id), at REAL NOT NULL, state TEXT NOT NULL,
        file_id TEXT NOT NULL, remote_id TEXT NOT NULL, detail TEXT NOT NULL""",
}
_FIRST_INDEXES = {"sendings_request": "sendings(request)", "verdicts_request": "verdicts(request)"}
_BATCH_INDEXES = {"batch_lines_batch": "batch_lines(batch)", "batch_events_batch": "batch_events(batch)"}
FORMATS = (Additions(_FIRST_TABLES, _FIRST_INDEXES), Additions(_BATCH_TABLES, _BATCH_INDEXES))

HISTORY = """
    SELECT requests.key, requests.messages_hash, sendings.id, sendings.max_output_tokens, endings.outcome, endings.raw,
           endings.detail, endings.prompt_tokens, endings.output_tokens, endings.charged_usd, batch_lines.batch
    FROM json_each(?) AS wanted
    JOIN requests ON requests.key = wanted.value
    LEFT JOIN sendings ON sendings.request = requests.id
    LEFT JOIN endings ON endings.sending = sendings.id
    LEFT JOIN batch_lines ON batch_lines.sending = sendings.id AND endings.sending IS NULL"""

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

VERDICT = """
    INSERT INTO verdicts (request, given_at, accepted, reason)
    SELECT id, :at, :accepted, :reason FROM requests
    WHERE key = :key AND (:accepted, :reason) IS NOT
        (SELECT accepted, reason FROM verdicts WHERE request = requests.id ORDER BY id DESC LIMIT 1)"""

OPEN_BATCHES = """
    SELECT batches.id, batches.token, batches.base_url, batches.model, batches.planned_at, batches.prompt_tokens,
           event.state, event.file_id, event.remote_id,
           coalesce((SELECT min(at) FROM batch_events WHERE batch = batches.id AND remote_id != ''), batches.planned_at)
    FROM batches JOIN batch_events AS event
      ON event.id = (SELECT max(id) FROM batch_events WHERE batch = batches.id)
    WHERE event.state NOT IN ('read', 'abandoned') ORDER BY batches.id"""

OPEN_LINES = """
    SELECT requests.key, sendings.id, sendings.worst_usd
    FROM batch_lines JOIN sendings ON sendings.id = batch_lines.sending
    JOIN requests ON requests.id = sendings.request
    LEFT JOIN endings ON endings.sending = sendings.id
    WHERE batch_lines.batch = ? AND endings.sending IS NULL"""
