"""The report's charts: axes, curves, histograms, kinds."""

from __future__ import annotations

from collections.abc import Sequence

from score_material import score
from synthetic_results import annotations_of, predictions

from nounflow.report.axes import nice_ticks
from nounflow.report.charts import Series, histogram_median, line_chart, mark, swatch
from nounflow.report.figures import breakdowns, diversity, undrawn
from nounflow.schemas.labels import Labels
from nounflow.scoring.results import Scores


def test_ticks_are_round_and_cover_the_values() -> None:
    assert nice_ticks(0.0, 0.288) == (0.0, 0.1, 0.2, 0.3)
    for low, high in ((0.0, 0.0), (-0.011, 0.046), (0, 1_200_000)):
        ticks = nice_ticks(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high


def test_a_curve_of_one_point_or_of_nan_is_still_a_chart() -> None:
    assert "<circle" in line_chart([Series("a", (1.0,), (2.0,), "s1")], "samples", False, "one")
    assert "nan" not in line_chart([Series("a", (1.0, 2.0), (2.0, float("nan")), "s1")], "samples", False, "two")


def test_the_median_of_a_histogram_lies_where_half_the_counts_are() -> None:
    assert histogram_median((0, 10, 20), (5, 5)) == 10
    assert histogram_median((0, 10, 20), (0, 4)) == 15
    assert histogram_median((0, 10, 20), (0, 0)) is None


def test_kinds_are_drawn_for_every_run_where_there_are_images_enough() -> None:
    golds = {f"{i}.png": Labels(gold=noun) for i, noun in enumerate(["dog"] * 6 + ["teapot"] * 5 + ["wombat"])}
    documents = [predictions(run, {file: [noun] for file in golds}) for run, noun in (("a", "dog"), ("b", "teapot"))]
    judged = annotations_of({file: {"correct_primary": [label.gold]} for file, label in golds.items()})
    (one,) = breakdowns(score(documents, [judged], golds))
    kinds, bands = one["charts"]
    assert kinds["svg"].count('class="spot') == 4  # two kinds, two runs
    assert "animal (6)" in kinds["svg"]
    assert kinds["note"] == "Too few images to draw: unknown (1)."
    assert bands["svg"].count('class="spot s2"') == 1  # dogs and teapots are equally common


def scored(images: dict[str, list[str]], *runs_of: tuple[str, Sequence[str]]) -> Scores:
    """Scores of runs that say the same; `runs_of`: image set and its runs."""
    return score([predictions(run, images, image_set=name) for name, runs in runs_of for run in runs], [])


def test_the_curve_of_a_run_that_says_very_many_nouns_ends_where_the_recorded_ones_do() -> None:
    (one,) = diversity(scored({f"{i}.png": [f"noun {i}"] for i in range(1250)}, ("photos", ["a"])))
    assert one["rows"] == [("a", ["1,250", "1250", "0.1"])]
    assert ">80 %<" in one["svg"]
    assert ">100 %<" not in one["svg"]


def test_runs_are_told_as_not_drawn_only_where_an_image_set_has_too_many() -> None:
    one = {"1.png": ["dog"]}
    assert undrawn(scored(one, ("x", ["a", "b", "c", "d"]), ("y", ["e", "f", "g"]))) == ""
    assert undrawn(scored(one, ("x", "abcdefgh"), ("y", "h"))).endswith("not g and h.")


def test_styles_differ_in_shape_and_not_in_colour_alone() -> None:
    drawn = [mark(f"s{i}", 50.0, 50.0, 4.0) for i in range(1, 7)]
    assert len({one.replace(f"s{i}", "") for i, one in enumerate(drawn, 1)}) == 6
    assert all(mark(f"s{i}", 15, 6, 4.5) in swatch(f"s{i}") for i in range(1, 7))
    chart = line_chart([Series(style, (0.0, 1.0), (0.1, 0.2), style) for style in ("s2", "s3")], "x", True, "y")
    assert chart.count('class="spot s2"') == chart.count('class="spot s3"') == 1
