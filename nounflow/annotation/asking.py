"""Asking a language model about groups of nouns, vote after vote, until each noun has as many as it needs.

All first votes are asked for together (one batch of the Batch API), then the further ones of nouns that are not
settled, round by round. Which nouns a round asks about follows from the answers before it, so a rerun over the same
ledger asks the same.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from nounflow.annotation.questions import ModelReading, NounGroup, read_answer, request_of
from nounflow.annotation.votes import VotingRule, votes_needed
from nounflow.config.annotators import OpenAIAnnotatorConfig
from nounflow.images import ImageError
from nounflow.llm.client import LLMClient
from nounflow.llm.ledger import Ledger
from nounflow.llm.requests import Outcome, Request

_SPARE = 2  # rounds beyond the most votes, for answers that cannot be read

Picture = Callable[[NounGroup], str]  # its data URL; raises ImageError


@dataclass
class Ballot:
    """A group of nouns and what was said of them so far."""

    group: NounGroup
    readings: dict[int, ModelReading] = field(default_factory=dict)  # by attempt
    unreadable: int = 0  # answers
    problem: str = ""  # why an answer was missing: the latest reason
    given_up: bool = False

    def votes(self, noun: str) -> dict[str, int]:
        """Category -> votes."""
        said = (self.readings[attempt].categories.get(noun) for attempt in sorted(self.readings))
        return dict(Counter(category for category in said if category))

    @property
    def description(self) -> str:
        """What the first answer says that the picture shows."""
        return self.readings[min(self.readings)].description if self.readings else ""

    def take(self, result: Outcome) -> tuple[bool, str]:
        """Read one answer; whether it brought a vote, and how many or why none."""
        if result.status == "failed":
            self.problem = f"no answer: {result.detail}"
        elif result.status == "refused":
            self.problem = f"refused: {result.detail}"
        else:
            try:
                reading = read_answer(result.texts[0], self.group.nouns)
                self.readings[result.request.attempt] = reading
                self.unreadable += not reading.categories
                return bool(reading.categories), f"votes: {len(reading.categories)}"
            except (ValueError, IndexError):
                self.unreadable += 1
                self.problem = "an answer that cannot be read"
        return False, self.problem

    def open(self, rule: VotingRule) -> tuple[str, ...]:
        """Nouns that need further votes."""
        return () if self.given_up else tuple(n for n in self.group.nouns if votes_needed(self.votes(n), rule))


def voting_rule(settings: OpenAIAnnotatorConfig) -> VotingRule:
    """The rule that the settings name."""
    return VotingRule(settings.min_votes, settings.max_votes, settings.confidence)


def first_requests(groups: Iterable[NounGroup], picture: Picture, settings: OpenAIAnnotatorConfig) -> Iterator[Request]:
    """The requests of the first votes, which are needed whatever is answered: what an estimate is made of."""
    for group in groups:
        try:
            url = picture(group)
        except ImageError:
            continue
        for attempt in range(settings.min_votes):
            yield request_of(group, url, attempt, settings)


async def judge(
    client: LLMClient, ballots: Sequence[Ballot], picture: Picture, ledger: Ledger, settings: OpenAIAnnotatorConfig
) -> AsyncIterator[Outcome]:
    """Ask until each noun is settled or its votes are used up; fills the ballots, and yields each result once read.

    Raises:
        NounflowError: from the client: budget, access, deadline. What was answered is in the ledger.
    """
    rule = voting_rule(settings)
    rounds = [range(settings.min_votes), *((n,) for n in range(settings.min_votes, settings.max_votes + _SPARE))]
    for attempts in rounds:
        owner: dict[str, Ballot] = {}  # a request's item -> whose vote it is
        async for result in client.ask(_requests(ballots, attempts, rule, picture, settings, owner)):
            judged, reason = owner[result.request.item].take(result)
            if result.status != "failed":
                ledger.record_verdict(result.key, judged, reason)
            yield result
        for ballot in ballots:
            ballot.given_up |= not ballot.readings
    for ballot in ballots:
        ballot.given_up = True


async def _requests(
    ballots: Sequence[Ballot],
    attempts: Iterable[int],
    rule: VotingRule,
    picture: Picture,
    settings: OpenAIAnnotatorConfig,
    owner: dict[str, Ballot],
) -> AsyncIterator[Request]:
    """The questions about each group's open nouns; a picture is read and shrunk once for all of them."""
    for ballot in ballots:
        if not (nouns := ballot.open(rule)):
            continue
        try:
            url = await asyncio.to_thread(picture, ballot.group)
        except ImageError as error:
            ballot.problem, ballot.given_up = f"the picture cannot be sent: {error}", True
            continue
        for attempt in attempts:
            request = request_of(ballot.group._replace(nouns=nouns), url, attempt, settings)
            owner[request.item] = ballot
            yield request
