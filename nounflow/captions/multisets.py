"""M1, M2, ... Mm: texts that name one, two, ... m nouns, made from templates.

The idea is that of the NOVIC paper (section 3.1). Here a row depends only on (seed, source, row number), so any
range of rows can be made alone; a tuple holds no noun twice and no two synonyms; and each noun's number of texts
stays within one or two of its share, since tuples are drawn systematically rather than at random.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import polars as pl

from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.quotas import quotas
from nounflow.captions.table import CaptionDraft, Row, Written, caption_frame, frame_of, record_nouns, record_texts
from nounflow.captions.templates import Template, Templates
from nounflow.captions.tuples import Companions, bring_together, draw_tuples
from nounflow.config.captions import SourceConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.schemas.tables import ROW_GROUP
from nounflow.streams import stream

BLOCK = 512  # rows of M2, M3, ... that are drawn together; the last block is cut off, so it should be short


@dataclass(frozen=True)
class Multiset:
    """What M_m of a lexicon is; `multiset_rows` makes its rows."""

    lexicon: CaptionLexicon
    templates: Templates
    m: int
    texts_per_noun: int  # rows of M_m = this x nouns of the lexicon
    seed: int
    co_occurring: float = 0.0  # share of rows whose nouns are companions
    companions: Companions | None = None  # None: there are no such rows

    @cached_property
    def asked(self) -> np.ndarray:
        """M1: texts due to each noun by its weight, int64 [nouns]; never fewer than the core ones."""
        core = (sum(t.core for t in of_number) for of_number in (self.templates.singular, self.templates.plural))
        low = max(*core, self.texts_per_noun // 2)
        return quotas(self.lexicon.weights, self.texts_per_noun, low, max(low, 3 * self.texts_per_noun))

    @cached_property
    def starts(self) -> np.ndarray:
        """M1: first row of each noun, int64 [nouns + 1]; a noun with few forms gets less than it is due."""
        possible = np.diff(self.lexicon.singular.starts) * len(self.templates.singular)
        possible = possible + np.diff(self.lexicon.plural.starts) * len(self.templates.plural)
        return np.concatenate([[0], np.cumsum(np.minimum(self.asked, possible))])

    @cached_property
    def plural_share(self) -> float:
        """Share of plurals in the use of all nouns, by their weights."""
        return float(np.average(self.lexicon.plural_shares, weights=self.lexicon.weights))

    @property
    def rows(self) -> int:
        """Rows there are, before equal texts are merged."""
        return int(self.starts[-1]) if self.m == 1 else self.texts_per_noun * len(self.lexicon)


def multiset_rows(multiset: Multiset, start: int = 0, stop: int | None = None) -> pl.DataFrame:
    """Rows `start` .. `stop` with the columns of schema `CAPTIONS`; equal texts are not yet merged.

    Raises:
        NounflowError: the lexicon has too few nouns of different meaning for tuples.
    """
    stop = multiset.rows if stop is None else min(stop, multiset.rows)
    if stop <= start:
        return frame_of([])
    return _single_rows(multiset, start, stop) if multiset.m == 1 else _tuple_rows(multiset, start, stop)


def compose(nouns: pl.DataFrame, templates: Templates, source: str, settings: SourceConfig, seed: int) -> CaptionDraft:
    """The whole of a source "m1", "m2", ...

    Raises:
        NounflowError: another source, or a lexicon with too few nouns for it.
    """
    if not re.fullmatch(r"m[1-9]", source):
        raise NounflowError(f"There is no multiset '{source}'", fix="name one of m1, m2, ...")
    m = int(source[1:])
    lexicon = CaptionLexicon.of(nouns)
    companions = Companions(nouns) if m > 1 and settings.co_occurring else None
    multiset = Multiset(lexicon, templates, m, settings.texts_per_noun, seed, settings.co_occurring, companions)

    def count(written: Written) -> Counts:
        counts = Counts("captions")
        asked = int(multiset.asked.sum()) if m == 1 else multiset.rows
        record_texts(counts, source, asked, written)
        record_nouns(counts, len(nouns), written, "too light to be drawn")
        return counts

    starts = range(0, multiset.rows, ROW_GROUP)
    return CaptionDraft((multiset_rows(multiset, start, start + ROW_GROUP) for start in starts), count)


# --- M1 -------------------------------------------------------------------------------------------------------------


def _single_rows(multiset: Multiset, start: int, stop: int) -> pl.DataFrame:
    """M1: all texts of one noun stand together; a noun's expected sampling weight is its lexicon weight."""
    starts = multiset.starts.tolist()
    rows: list[Row] = []
    for noun in range(bisect_right(starts, start) - 1, bisect_left(starts, stop)):
        size = starts[noun + 1] - starts[noun]
        texts = _texts_of(multiset, noun, size)
        weight = float(multiset.lexicon.weights[noun]) / max(size, 1)
        for text, template in texts[max(start - starts[noun], 0) : stop - starts[noun]]:
            rows.append((text, (noun,), weight, template.id))
    return frame_of(rows)


def _texts_of(multiset: Multiset, noun: int, size: int) -> list[tuple[str, Template]]:
    """`size` different (form, template) choices of one noun: the core ones, then singulars, then plurals.

    The core ones are singular, or plural where the noun has no singular.
    """
    lexicon = multiset.lexicon
    numbers = ((lexicon.singular, multiset.templates.singular), (lexicon.plural, multiset.templates.plural))
    rng = stream(multiset.seed, "m1", lexicon.keys[noun])
    main_forms, main_templates = numbers[0] if lexicon.singular.of(noun) else numbers[1]
    main = main_forms.of(noun)[0]
    chosen = [(main_forms, main, template) for template in main_templates if template.core]
    pools = []
    for forms, templates in numbers:
        pool = [
            (forms, form, template)
            for form in forms.of(noun)
            for template in templates
            if not (template.core and forms is main_forms and form == main)
        ]
        weights = np.array([forms.shares[form] * template.weight for _, form, template in pool])
        order = np.argsort(rng.exponential(size=len(pool)) / weights)  # weighted, without replacement
        pools.append([pool[i] for i in order])
    singulars, plurals = pools
    rest = size - len(chosen)
    n_plural = int(size * lexicon.plural_shares[noun] + rng.random())
    n_plural = min(max(n_plural, rest - len(singulars)), rest, len(plurals))
    chosen += singulars[: rest - n_plural] + plurals[:n_plural]
    return [(template.around([forms.phrases(template.lead)[form]]), template) for forms, form, template in chosen]


# --- M2, M3, ... ----------------------------------------------------------------------------------------------------


def _tuple_rows(multiset: Multiset, start: int, stop: int) -> pl.DataFrame:
    blocks = range(start // BLOCK, (stop - 1) // BLOCK + 1)
    texts, targets, templates = zip(*(_block(multiset, block) for block in blocks), strict=True)
    wanted = slice(start - blocks.start * BLOCK, stop - blocks.start * BLOCK)
    rows = stop - start
    ids = np.concatenate(targets)[wanted].reshape(-1)
    text, template = ([*chain.from_iterable(parts)][wanted] for parts in (texts, templates))
    return caption_frame(text, ids, np.full(rows, multiset.m), np.ones(rows), template)


def _block(multiset: Multiset, block: int) -> tuple[list[str], np.ndarray, list[str]]:
    """Texts, targets int64 [BLOCK, m] and template ids of the rows of one block."""
    source = f"m{multiset.m}"
    rng = stream(multiset.seed, source, block)
    offset = stream(multiset.seed, source).random()
    # plural rows before each row, from the block's first to the next block's first: [BLOCK + 1]
    plurals = np.floor((block * BLOCK + np.arange(BLOCK + 1)) * multiset.plural_share + offset).astype(np.int64)
    is_plural = np.diff(plurals) > 0
    pairing = stream(multiset.seed, source, "together", block)
    together = pairing.random(BLOCK) < multiset.co_occurring
    texts, ids = [""] * BLOCK, [""] * BLOCK
    targets = np.zeros((BLOCK, multiset.m), dtype=np.int64)
    lexicon, templates = multiset.lexicon, multiset.templates
    for forms, of_number, places, before in (
        (lexicon.singular, templates.singular, np.flatnonzero(~is_plural), block * BLOCK - plurals[0]),
        (lexicon.plural, templates.plural, np.flatnonzero(is_plural), plurals[0]),
    ):
        if not len(places):
            continue
        drawn = draw_tuples(forms, multiset.m, int(before), len(places), offset, rng)  # [places, m]
        if multiset.companions is not None:
            for i in np.flatnonzero(together[places]).tolist():
                drawn[i] = bring_together(forms, multiset.companions, drawn[i], pairing)
        weights = np.array([template.weight for template in of_number])
        picks = rng.choice(len(of_number), size=len(places), p=weights / weights.sum())
        targets[places] = forms.nouns[drawn]
        for place, members, pick in zip(places.tolist(), drawn.tolist(), picks.tolist(), strict=True):
            template = of_number[pick]
            phrases = forms.phrases(template.lead)
            texts[place], ids[place] = template.around([phrases[i] for i in members]), template.id
    return texts, targets, ids
