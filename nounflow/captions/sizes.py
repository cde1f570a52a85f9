"""How many texts and samples the published recipe has for given form weights, without making them.

The published multisets (NOVIC paper, section 3.1) use every form as often as its weight x the template's weight in
each of the m places of a tuple, so M_m has as many samples for any m. The multisets of `nounflow.captions.multisets`
are as large as the config asks for; these formulas say what the published ones were, to compare with or to ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class NumberSizes:
    """What counts of one number, singular or plural."""

    forms: int  # written forms
    form_weight: int  # sum of the forms' whole-number weights
    templates: int  # different templates
    template_weight: int  # sum of the templates' whole-number weights

    @classmethod
    def of(cls, form_weights: Sequence[int], template_weights: Sequence[int]) -> NumberSizes:
        """Add up the weights of single forms and templates."""
        return cls(len(form_weights), sum(form_weights), len(template_weights), sum(template_weights))


@dataclass(frozen=True)
class RecipeSizes:
    """Sizes of multisets and of their mixture with captions."""

    singular: NumberSizes
    plural: NumberSizes

    @property
    def multiset(self) -> int:
        """Samples of M_m, the same for every m."""
        return sum(number.form_weight * number.template_weight for number in (self.singular, self.plural))

    @property
    def distinct(self) -> int:
        """(template, form) pairs of M1: its texts, where no two forms are equal."""
        return sum(number.forms * number.templates for number in (self.singular, self.plural))

    def captions(self, samples_per_weight: int = 20) -> int:
        """Samples of captions, so many for each unit of form weight."""
        return samples_per_weight * (self.singular.form_weight + self.plural.form_weight)

    def samples(self, frequencies: Sequence[int] = (1, 1, 1), captions: int = 0) -> int:
        """Samples of a mixture: M1, M2, ... as often as `frequencies` says, captions `captions` times."""
        return sum(frequencies) * self.multiset + captions * self.captions()

    def targets(self, frequencies: Sequence[int] = (1, 1, 1), captions: int = 0) -> int:
        """Nouns to predict in such a mixture: m for each sample of M_m, one for each caption."""
        in_multisets = sum(m * frequency for m, frequency in enumerate(frequencies, 1)) * self.multiset
        return in_multisets + captions * self.captions()
