"""A language model's judgements: from ballots to records of a decision log, and from there to annotations."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from nounflow.annotation.asking import Ballot, voting_rule
from nounflow.annotation.calibration import Compared, Settling, settle
from nounflow.annotation.consensus import resolve
from nounflow.annotation.current_decisions import CurrentDecisions, Pair
from nounflow.annotation.plan import Task
from nounflow.annotation.questions import RULE, NounGroup, groups_of
from nounflow.annotation.votes import verdict
from nounflow.config.annotators import OpenAIAnnotatorConfig, PeopleAnnotatorConfig
from nounflow.counts import Counts
from nounflow.files import sha256_json, sha256_text
from nounflow.llm.enough import refuse_too_little
from nounflow.schemas.annotations import CATEGORIES, ImageAnnotations
from nounflow.schemas.decisions import Decision, DecisionDraft, Mark, asked_at
from nounflow.text import canon

_LONGEST = 4000  # characters of evidence


class JudgedPair(NamedTuple):
    """A row of `{annotator}.votes.tsv`, but for the votes and probabilities behind it."""

    image: str
    noun: str
    category: str
    evidence: str


Row = tuple[JudgedPair, dict[str, int]]  # with its votes


def tool_of(settings: OpenAIAnnotatorConfig) -> str:
    """Which judge this is: another model or other questions are another one."""
    return f"{RULE} {settings.server.model[:150]} {sha256_json(settings.identity())[:8]}"


def known_judgements(
    records: Sequence[Decision | Mark], annotator: str, settings: OpenAIAnnotatorConfig
) -> dict[Pair, Decision]:
    """What this judge has said already, as far as nobody took it back."""
    current, tool = CurrentDecisions(records), tool_of(settings)
    own = (record for record in records if isinstance(record, Decision) and record.annotator == annotator)
    return {(d.place, d.noun): d for d in own if d.tool == tool and d.votes and current.in_force(d)}


def missing_groups(
    tasks: Iterable[Task], known: Mapping[Pair, Decision], settings: OpenAIAnnotatorConfig
) -> Iterator[NounGroup]:
    """What is still to be asked. A noun without a letter or digit is never: it is incorrect."""
    for task in tasks:
        nouns = [ask.noun for ask in task.asks if (task.image, ask.noun) not in known and is_word(ask.noun)]
        if nouns:
            yield from groups_of(task, nouns, settings.nouns_per_request)


def votes_of(decision: Decision) -> dict[str, int]:
    """Category -> votes."""
    return {str(category): n for category, n in decision.votes.items()}


def is_word(noun: str) -> bool:
    """Whether there is anything to ask about."""
    return any(map(str.isalnum, noun))


def drafts_of(
    ballot: Ballot, spellings: Iterable[str], annotator: str, image_set: str, settings: OpenAIAnnotatorConfig
) -> list[DecisionDraft]:
    """Records of a group's judged nouns, under the voting rule; their ids follow from what they say.

    Args:
        spellings: all nouns of the picture that are missing: the same word in several spellings is judged once.
    """
    rule, tool, drafts = voting_rule(settings), tool_of(settings), []
    asked = {canon(noun): noun for noun in ballot.group.nouns}
    for noun in sorted(noun for noun in spellings if canon(noun) in asked):
        votes = ballot.votes(asked[canon(noun)])
        if sum(votes.values()) < rule.least:
            continue
        evidence = ballot.description[:_LONGEST]
        said = (annotator, tool, ballot.group.image, noun, sha256_json(votes), evidence)
        drafts.append(
            DecisionDraft.model_validate(
                {
                    "kind": "decision",
                    "id": sha256_text(*said)[:32],
                    "annotator": annotator,
                    "tool": tool,
                    **asked_at(ballot.group.image),
                    "noun": noun,
                    "category": verdict(votes, rule),
                    "votes": votes,
                    "evidence": evidence,
                    "image_set": image_set,
                    "file": ballot.group.file,
                }
            )
        )
    return drafts


def settling_of(
    known: Mapping[Pair, Decision],
    records: Sequence[Decision | Mark],
    people: PeopleAnnotatorConfig,
    settings: OpenAIAnnotatorConfig,
) -> Settling:
    """How this judge's votes become categories, given what people said of the same pairs (of any image set)."""
    current, pairs, names = CurrentDecisions(records, people.scheme), [], set[str]()
    for pair in sorted(known):
        judgements = [d for d in current.counting(pair, people.members) if not d.votes]  # who votes is no person
        if judgements and (category := resolve(judgements, people).category) is not None:
            pairs.append(Compared(pair[0], votes_of(known[pair]), category))
            names.update(decision.annotator for decision in judgements)
    return settle(pairs, sorted(names), voting_rule(settings), settings.min_calibrated)


def refuse_unreadable(
    ballots: Sequence[Ballot], known: Mapping[Pair, Decision], settings: OpenAIAnnotatorConfig
) -> None:
    """Stop where the model judged nothing, or most of its answers cannot be read.

    Args:
        known: what it had judged before these ballots; what its votes rest on are readable answers.

    Raises:
        NounflowError: see `llm.enough`.
    """
    earlier: dict[str, int] = {}  # picture -> answers at least
    for (image, _), decision in known.items():
        earlier[image] = max(earlier.get(image, 0), sum(decision.votes.values()))
    reasons = Counter(ballot.problem or "nouns left out of the answers" for ballot in ballots)
    votes = sum(earlier.values()) + sum(bool(r.categories) for ballot in ballots for r in ballot.readings.values())
    unreadable, where = sum(ballot.unreadable for ballot in ballots), f"judgements of {settings.server.model}"
    if ballots:
        refuse_too_little({"noun was judged": votes}, reasons, votes, unreadable, where)


def annotate(
    tasks: Iterable[Task], known: Mapping[Pair, Decision], settling: Settling, problems: Mapping[Pair, str]
) -> tuple[dict[str, ImageAnnotations], list[Row], Counts]:
    """Five lists for each picture, a row with its votes for each judgement, and why some nouns have none."""
    images: dict[str, ImageAnnotations] = {}
    rows: list[Row] = []
    reasons: Counter[str] = Counter()
    pairs = 0
    for task in tasks:
        nouns = sorted(ask.noun for ask in task.asks)
        pairs += len(nouns) * len(task.files)
        lists: dict[str, list[str]] = {category: [] for category in CATEGORIES}
        for noun in nouns:
            pair = task.image, noun
            if pair not in known and is_word(noun):
                reasons[problems.get(pair, "too few readable votes")] += len(task.files)
                continue
            votes = votes_of(known[pair]) if pair in known else {}
            evidence = known[pair].evidence if pair in known else "no word"
            category = settling.category(votes) if votes else "incorrect"
            lists[category].append(noun)
            rows += [(JudgedPair(name, noun, category, evidence), votes) for name in task.names]
        images |= dict.fromkeys(task.names, ImageAnnotations(**{c: tuple(found) for c, found in lists.items()}))
    counts = Counts("annotations")
    flow = counts.flow("pairs", pairs, "image-noun pairs")
    for reason, n in sorted(reasons.items()):
        flow.drop(n, reason)
    flow.out(len(rows), "pairs judged")
    return {file: images[file] for file in sorted(images)}, sorted(rows, key=lambda row: row[0][:2]), counts
