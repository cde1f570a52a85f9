"""The report: what stands on the page, and what it needs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from report_material import call, write_results
from score_material import dogs_are_right, noisy, score
from synthetic_results import annotations_of, manifest, nouns_table, predictions

from nounflow.report.gallery import Card, Guess, Picture, Said
from nounflow.report.page import Report, render
from nounflow.report.reading import TrainingProgress
from nounflow.report.words import headline
from nounflow.schemas.annotations import PeopleAgreement
from nounflow.schemas.documents import write_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.scoring.evaluation import ScoredRun
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.scores import score_all


def test_time_and_memory_of_the_stages_stand_in_the_report_where_jobs_left_them(
    report_results: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, arguments = report_results
    assert "What it took" not in (folder / "report.html").read_text()
    for shard, seconds in (("0", 61.5), ("1", 1200.25)):
        for kind, suffix, text in (
            ("benchmarks", "tsv", f"s\tmax_rss\tcpu_time\n{seconds}\t2048.4\t99.5\n"),
            ("logs", "log", f"# host: secret, x86_64, 8 CPUs, SLURM job {shard}\n# device: cuda asked for\n"
                            "# command: python embed_texts.py\ndone in 9 s, 5 MB of memory, 4,321 MB on the GPU A\n"),
        ):  # fmt: skip
            path = tmp_path / f"results/{kind}/embeddings/{shard}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    page = tmp_path / "report.html"
    call("report.py", [*arguments, "--jobs-of", str(tmp_path / "results"), "--out", str(page)])
    html = page.read_text()
    for text in ("2 jobs took 1,262 seconds", "embed_texts", "1,200.2 s", "2,048 MB", "4,321 MB"):
        assert text in html, text
    assert html.count("x86_64, 8 CPUs; device: cuda asked for") == 1
    assert "secret" not in html


def test_the_report_is_one_file_that_names_nothing_outside_itself(report_results: tuple[Path, list[str]]) -> None:
    html = (report_results[0] / "report.html").read_text()
    assert len(html) < 1_000_000
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert not re.findall(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


def test_names_from_files_cannot_become_markup(report_results: tuple[Path, list[str]]) -> None:
    html = (report_results[0] / "report.html").read_text()
    assert "<b>'tricky'" not in html
    assert "&lt;b&gt;&#39;tricky&#39; &amp; &#34;file&#34;.png" in html
    for raw in ("<i>hound</i>", "<cut> off", "<object> noun"):
        assert raw not in html
        assert raw.replace("<", "&lt;").replace(">", "&gt;") in html


def test_the_same_results_give_the_same_report(report_results: tuple[Path, list[str]]) -> None:
    folder, arguments = report_results
    first = (folder / "report.html").read_bytes()
    call("report.py", arguments)
    assert (folder / "report.html").read_bytes() == first


def test_the_page_needs_neither_curves_nor_angles_nor_judgements_nor_pictures(tmp_path: Path) -> None:
    arguments = write_results(tmp_path)
    (tmp_path / "models/tiny/metrics.parquet").unlink()
    (tmp_path / "models/tiny/angles.json").unlink()
    write_document(tmp_path / "annotations/photos/wordnet.json", annotations_of({}))
    score = [
        *arguments[2 : arguments.index("--counts")],
        *("--labels", '{"photos": null}'),
        *("--out", str(tmp_path / "scores.tsv"), "--details", str(tmp_path / "scores.json")),
        *("--counts", str(tmp_path / "scores.counts.json")),
    ]
    call("score.py", score)
    call("report.py", [*arguments, "--gallery", "0"])
    html = (tmp_path / "report.html").read_text()
    for section in ("training", "noise", "gallery"):
        assert f'id="{section}"' not in html
    assert "Nothing here is judged" in html


@pytest.fixture(scope="module")
def page_of_two_sets_and_two_judges() -> str:
    """HTML of one run on the image sets x and y under the judges p and q; q was compared with people on x."""
    documents = [predictions("a", {"1.png": ["dog"]}, image_set=name) for name in ("x", "y")]
    judged = [
        annotations_of({"1.png": {"correct_primary": ["dog"]}}, name, who) for name in ("x", "y") for who in ("p", "q")
    ]
    agreement = PeopleAgreement(
        people=("ann", "<bob>"), pairs=1234, share=0.8, kappa=0.714, kappa_coarse=0.8, kappa_voting=0.5,
        held_out=True, confusion={},
    )  # fmt: skip
    judged[1] = judged[1].model_copy(update={"agreement": agreement})
    material = ScoringMaterial(
        runs={"a": ScoredRun(manifest("a"), "tiny", {})},
        predictions=tuple(documents),
        annotations=tuple(judged),
        labels={"x": {}, "y": {}},
        tables={"tiny": nouns_table()},
    )
    scores = score_all(material)
    said = (Said("a", "decoder", (Guess("dog", 0.5, "right", "correct_primary"),)),)
    pictures = [(Card(name, "1.png", None, said), Picture("data:image/jpeg;base64,", 1, 1)) for name in ("x", "y")]
    rule = AnswerCalibration(
        weights_sha256="", weight=0.5, none=-1.0, candidates=1, images=9, labels="", fitted_on="held-out captions",
        error_before=0.3, error_after=0.1, right=0.5,
    )  # fmt: skip
    return render(
        Report(
            scores=scores,
            material=material,
            cards=pictures,
            images=2,
            progress={"a": TrainingProgress(None, None, fitted=rule)},
        )
    )


def test_probabilities_are_drawn_as_fitted_beside_the_runs_own(page_of_two_sets_and_two_judges: str) -> None:
    html = page_of_two_sets_and_two_judges
    claimed = predictions("a", {"1.png": ["dog"]}).predictions["beam_k5"].probability[0][0]
    fitted = claimed**0.5 / (claimed**0.5 + np.exp(-1.0))  # of "dog" against none
    assert html.count("Share right, as fitted") == 4
    assert html.count(f"a: error {100 * (1 - fitted):.1f} [") == 4
    assert "fitted to held-out captions" in html


def test_several_image_sets_and_judges_each_have_a_table_and_a_filter(page_of_two_sets_and_two_judges: str) -> None:
    html = page_of_two_sets_and_two_judges
    assert html.count('<table class="scores">') == 4
    assert re.findall(r'<button type="button" data-set="(\w+)"', html) == ["x", "y"]
    assert "Judged by p." in html


def test_the_page_says_how_far_a_judge_agrees_with_people(page_of_two_sets_and_two_judges: str) -> None:
    html = page_of_two_sets_and_two_judges
    assert html.count("<h3>x, judged by q (κ 0.71 with people, 1,234 nouns)</h3>") == 2  # scores, calibration
    assert "Of 1,234 nouns that ann and &lt;bob&gt; judged too, 80 % got the same of the five categories" in html
    assert "kappa is 0.71, and 0.80 on correct, close and incorrect, on pictures that its calibration" in html
    assert html.count("judged too") == 1


def test_published_scores_are_shown_only_if_wanted_and_say_what_they_are(
    report_results: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, arguments = report_results
    assert "Tag2Text" not in (folder / "report.html").read_text()
    out = str(tmp_path / "report.html")
    call("report.py", [*arguments, "--published", "--out", out, "--report-counts", str(tmp_path / "counts.json")])
    html = (tmp_path / "report.html").read_text()
    assert "nothing in this table was measured here" in html
    assert html.count('<span class="kind">published</span>') == 20
    assert "88.27" in html


def test_the_headline_is_of_the_best_run_and_claims_no_more_than_its_interval() -> None:
    many = [noisy(run, share, "decoder", 400) for run, share in (("good", 0.9), ("bad", 0.2), ("even", 0.9))]
    judged = [dogs_are_right(400)]
    title, said = headline(score(many[:2], judged))
    assert title == "good names photographs best"
    assert re.search(
        r"On 400 photographs of photos, judged by wordnet, good scores \d+\.\d of 100 \(95 % interval", said
    )
    assert re.search(r": \+\d+\.\d points beside bad \(95 % interval \+\d+\.\d to \+\d+\.\d\)\.$", said)
    assert headline(score([many[0], many[2]], judged))[0].endswith("is shown")
    assert headline(score(many[:1], judged))[0].startswith("good names photographs with a score of ")
    assert headline(score(many, []))[0] == "400 photographs are named, and not one is judged"
