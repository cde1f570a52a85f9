"""The report: what stands on the page, and how it behaves in a real browser with no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from PIL import Image, ImageDraw
from synthetic_results import NOUNS, annotations, manifest, nouns_table, predictions

from nounflow.counts import Counts
from nounflow.report.charts import Series, histogram_median, line_chart, nice_ticks
from nounflow.report.figures import breakdowns
from nounflow.report.gallery import Card, Guess, Picture, Said, cards, choose, picture
from nounflow.report.page import Report, render
from nounflow.schemas.documents import Angles, InputManifest, Labels, PeopleAgreement, read_document, write_document
from nounflow.schemas.tables import LEXICON, METRICS, lexicon_digest, write_table
from nounflow.scoring.evaluation import ImageSet, ScoredLexicon, ScoredRun
from nounflow.scoring.load import ScoringMaterial, lexicon_entries
from nounflow.scoring.results import Scores
from nounflow.scoring.scores import score_all

ROOT = Path(__file__).parents[1]
TRICKY = "<b>'tricky' & \"file\".png"  # every character that HTML gives a meaning
IMAGES = {  # file -> what the decoder says, what retrieval says
    "dog one.png": (["dog", "cat", "sheep"], ["dog", "cat", "sheep"]),
    "cat.png": (["cat", "dog", "mouse"], ["mouse", "cat", "dog"]),
    "sheep.png": (["goose", "sheep", "dog"], ["sheep", "goose", "dog"]),
    "teapot.png": (["apple", "teapot", "cat"], ["goose", "teapot", "cat"]),
    TRICKY: (["mouse", "x-ray", "apple"], ["mouse", "x-ray", "apple"]),
}


def draw_image(path: Path, number: int) -> None:
    image = Image.new("RGB", (640, 480), (250, 250, 245))
    draw = ImageDraw.Draw(image)
    draw.ellipse((120, 60, 520, 420), fill=(40 * number, 120, 200 - 30 * number))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def judge(file: str) -> dict[str, list[str]]:
    gold = file.split(".")[0].split(" ")[0]
    nouns = [noun for noun in NOUNS if noun != gold]
    if file == TRICKY:
        return {"incorrect": ["x-ray"]}  # the first noun stays unjudged
    close = ["mouse"] if gold == "cat" else []
    return {
        "correct_primary": [gold],
        "close_primary": close,
        "incorrect": [noun for noun in nouns if noun not in close],
    }


def write_results(folder: Path) -> list[str]:
    """Two runs on five drawn images and a broken one, scored; returns the arguments of report.py."""
    write_table(folder / "nouns/tiny.parquet", nouns_table(), LEXICON)
    (folder / "labels.tsv").write_text("file\tgold\taccepted\ndog one.png\tdog\tpuppy;<i>hound</i>\ncat.png\tcat\t\n")
    for i, file in enumerate(IMAGES):
        draw_image(folder / "images" / file, i)
    for which, (run, predictor) in enumerate((("tiny", "decoder"), ("tiny_retrieval", "retrieval"))):
        write_document(folder / "models" / run / "manifest.json", manifest(run, predictor))
        answers = {file: said[which] for file, said in IMAGES.items()}
        document = predictions(run, answers, predictor, unreadable={"broken.png": "broken: <cut> off"})
        write_document(folder / "predictions" / run / "photos.json", document)
    rows = [
        (samples, split, metric, value / (1 + samples / 2000))
        for samples in range(0, 10001, 1000)
        for split in ("train", "heldout")
        for metric, value in (("loss", 5.0), ("noun_accuracy", 0.6), ("learning_rate", 1e-3))
    ]
    metrics = pl.DataFrame(rows, schema=["samples", "split", "metric", "value"], orient="row")
    write_table(folder / "models/tiny/metrics.parquet", metrics, METRICS)
    angles = Angles(bins_deg=(0, 30, 60, 90), noise=(2, 96, 2), same_noun=(40, 50, 10), different_noun=(0, 20, 80))
    write_document(folder / "models/tiny/angles.json", angles)
    write_document(folder / "annotations/photos/wordnet.json", annotations({file: judge(file) for file in IMAGES}))
    counts = Counts("nouns")
    flow = counts.flow("synsets", 100, "synsets")
    flow.drop(92, "not an <object> noun")
    flow.out(8, "nouns")
    counts.write(folder / "nouns/tiny.counts.json")
    shared = [
        *("--predictions", *(str(folder / f"predictions/{run}/photos.json") for run in ("tiny", "tiny_retrieval"))),
        *("--annotations", str(folder / "annotations/photos/wordnet.json")),
        *("--models", *(str(folder / f"models/{run}/manifest.json") for run in ("tiny", "tiny_retrieval"))),
        *("--nouns", str(folder / "nouns/tiny.parquet")),
    ]
    sets = json.dumps({"photos": str(folder / "labels.tsv")})
    scores = str(folder / "scores.json")
    table, counts = str(folder / "scores.tsv"), str(folder / "scores.counts.json")
    call("score.py", [*shared, "--labels", sets, "--out", table, "--details", scores, "--counts", counts])
    return [
        *("--scores", scores, *shared),
        *("--counts", str(folder / "nouns/tiny.counts.json"), str(folder / "scores.counts.json")),
        *("--image-folders", json.dumps({"photos": str(folder / "images")})),
        *("--labels", json.dumps({"photos": str(folder / "labels.tsv")})),
        *("--out", str(folder / "report.html"), "--report-counts", str(folder / "report.counts.json")),
    ]


def call(script: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "workflow_scripts" / script), *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp")},
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    arguments = write_results(folder)
    call("report.py", arguments)
    return folder, arguments


def test_time_and_memory_of_the_stages_stand_in_the_report_where_jobs_left_them(results, tmp_path):
    folder, arguments = results
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


def test_the_report_is_one_file_that_names_nothing_outside_itself(results):
    html = (results[0] / "report.html").read_text()
    assert len(html) < 1_000_000
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert not re.findall(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


def test_names_from_files_cannot_become_markup(results):
    html = (results[0] / "report.html").read_text()
    assert "<b>'tricky'" not in html
    assert "&lt;b&gt;&#39;tricky&#39; &amp; &#34;file&#34;.png" in html
    for raw in ("<i>hound</i>", "<cut> off", "<object> noun"):
        assert raw not in html
        assert raw.replace("<", "&lt;").replace(">", "&gt;") in html


def test_the_same_results_give_the_same_report(results):
    folder, arguments = results
    first = (folder / "report.html").read_bytes()
    call("report.py", arguments)
    assert (folder / "report.html").read_bytes() == first


def test_an_image_that_vanished_is_counted_out_of_the_gallery(results, tmp_path):
    write_results(tmp_path)
    arguments = [argument.replace(str(results[0]), str(tmp_path)) for argument in results[1]]
    (tmp_path / "images" / "cat.png").unlink()
    done = call("report.py", arguments)
    assert "not in the gallery: cat.png: the file does not exist" in done.stdout
    (flow,) = json.loads((tmp_path / "report.counts.json").read_text())["flows"]
    assert (flow["in"], flow["out"]) == (5, 4)


def test_a_fetched_image_set_is_found_through_its_manifest(results, tmp_path):
    write_results(tmp_path)
    arguments = [argument.replace(str(results[0]), str(tmp_path)) for argument in results[1]]
    fetched = InputManifest(
        name="photos", source="a package", version="1", licence="GPL-2", folder="images", files={}, megabytes=0.0
    )
    write_document(tmp_path / "manifest.json", fetched)
    where = arguments.index("--image-folders") + 1
    arguments[where] = json.dumps({"photos": str(tmp_path / "manifest.json")})
    call("report.py", arguments)
    assert (tmp_path / "report.html").read_bytes() == (results[0] / "report.html").read_bytes()


def test_the_page_needs_neither_curves_nor_angles_nor_judgements_nor_pictures(results, tmp_path):
    write_results(tmp_path)
    arguments = [argument.replace(str(results[0]), str(tmp_path)) for argument in results[1]]
    (tmp_path / "models/tiny/metrics.parquet").unlink()
    (tmp_path / "models/tiny/angles.json").unlink()
    write_document(tmp_path / "annotations/photos/wordnet.json", annotations({}))
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


def card(file: str, *verdicts: str) -> Card:
    said = tuple(Said(f"r{i}", "decoder", (Guess("dog", 0.5, verdict, ""),)) for i, verdict in enumerate(verdicts))
    return Card("photos", file, None, said)


def test_the_gallery_mixes_disagreement_right_and_wrong_and_never_changes():
    many = [card(f"w{i}", "wrong", "wrong") for i in range(500)]
    some = [card(f"r{i}", "right", "right") for i in range(30)]
    some += [card(f"d{i}", "right", "wrong") for i in range(30)]
    chosen = choose(many + some, 24)
    assert len(chosen) == 24
    assert sum(one.disagree for one in chosen) == 12
    assert sum(one.said[0].verdict == "right" and not one.disagree for one in chosen) == 6
    assert choose((many + some)[::-1], 24) == chosen
    assert len(choose(some, 1000)) == 60


def test_the_gallery_gives_each_image_set_a_share():
    big = [card(f"{i}", "wrong") for i in range(100)]
    small = [Card("other", f"{i}", None, big[0].said) for i in range(3)]
    chosen = choose(big + small, 10)
    assert sum(one.image_set == "other" for one in chosen) == 3


def test_a_card_holds_the_first_three_nouns_with_their_verdicts():
    document = predictions("a", {"1.png": ["dog", "cat", "mouse", "apple"]})
    judged = {"photos": {"1.png": {"dog": "correct_secondary", "cat": "close_primary"}}}
    (one,) = cards([document], judged, {"photos": {"1.png": Labels(gold="dog")}})
    assert [guess.verdict for guess in one.said[0].guesses] == ["right", "close", "unjudged"]
    assert one.said[0].guesses[0].probability == 0.5
    assert one.labels.gold == "dog"


def test_several_image_sets_and_judges_each_have_a_table_and_a_filter():
    lexicon = ScoredLexicon("tiny", lexicon_digest(NOUNS), frozenset(NOUNS))
    documents = [predictions("a", {"1.png": ["dog"]}, image_set=name) for name in ("x", "y")]
    judged = [
        annotations({"1.png": {"correct_primary": ["dog"]}}, name, who) for name in ("x", "y") for who in ("p", "q")
    ]
    agreement = PeopleAgreement(
        people=("ann", "<bob>"), pairs=1234, share=0.8, kappa=0.714, kappa_coarse=0.8, kappa_voting=0.5,
        held_out=True, confusion={},
    )  # fmt: skip
    judged[1] = judged[1].model_copy(update={"agreement": agreement})
    material = ScoringMaterial(
        runs={"a": ScoredRun(manifest("a"), lexicon)},
        predictions=tuple(documents),
        annotations=tuple(judged),
        image_sets={name: ImageSet(name, {}) for name in ("x", "y")},
        tables={"tiny": nouns_table()},
    )
    scores = score_all(documents, judged, material.runs, material.image_sets)
    said = (Said("a", "decoder", (Guess("dog", 0.5, "right", "correct_primary"),)),)
    pictures = [(Card(name, "1.png", None, said), Picture("data:image/jpeg;base64,", 1, 1)) for name in ("x", "y")]
    html = render(Report(scores=scores, material=material, cards=pictures, images=2))
    assert html.count('<table class="scores">') == 4
    assert re.findall(r'<button type="button" data-set="(\w+)"', html) == ["x", "y"]
    assert "2 images, named from words alone" in html
    assert "Judged by p." in html
    assert html.count("<h3>x, judged by q (κ 0.71 with people, 1,234 nouns)</h3>") == 2  # scores, calibration
    assert "Of 1,234 nouns that ann and &lt;bob&gt; judged too, 80 % got the same of the five categories" in html
    assert "kappa is 0.71, and 0.80 on correct, close and incorrect, on pictures that its calibration" in html
    assert html.count("judged too") == 1


def test_kinds_are_drawn_for_every_run_where_there_are_images_enough():
    lexicon = ScoredLexicon("tiny", lexicon_digest(NOUNS), frozenset(NOUNS), lexicon_entries(nouns_table()))
    golds = {f"{i}.png": Labels(gold=noun) for i, noun in enumerate(["dog"] * 6 + ["teapot"] * 5 + ["wombat"])}
    documents = [predictions(run, {file: [noun] for file in golds}) for run, noun in (("a", "dog"), ("b", "teapot"))]
    judged = annotations({file: {"correct_primary": [label.gold]} for file, label in golds.items()})
    runs = {run: ScoredRun(manifest(run), lexicon) for run in ("a", "b")}
    (one,) = breakdowns(score_all(documents, [judged], runs, {"photos": ImageSet("photos", golds)}))
    kinds, bands = one["charts"]
    assert kinds["svg"].count("<circle") == 4  # two kinds, two runs
    assert "animal (6)" in kinds["svg"]
    assert kinds["note"] == "Too few images to draw: unknown (1)."
    assert bands["svg"].count('class="spot s2"') == 1  # dogs and teapots are equally common


def test_a_picture_is_a_small_jpeg(tmp_path):
    draw_image(tmp_path / "big.png", 1)
    small = picture(tmp_path / "big.png")
    assert small.uri.startswith("data:image/jpeg;base64,/9j/")
    assert (small.width, small.height) == (360, 270)
    assert len(small.uri) < 20_000


def test_ticks_are_round_and_cover_the_values():
    assert nice_ticks(0.0, 0.288) == (0.0, 0.1, 0.2, 0.3)
    for low, high in ((0.0, 0.0), (-0.011, 0.046), (0, 1_200_000)):
        ticks = nice_ticks(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high


def test_a_curve_of_one_point_or_of_nan_is_still_a_chart():
    assert "<circle" in line_chart([Series("a", (1.0,), (2.0,), "s1")], "samples", False, "one")
    assert "nan" not in line_chart([Series("a", (1.0, 2.0), (2.0, float("nan")), "s1")], "samples", False, "two")


def test_the_median_of_a_histogram_lies_where_half_the_counts_are():
    assert histogram_median((0, 10, 20), (5, 5)) == 10
    assert histogram_median((0, 10, 20), (0, 4)) == 15
    assert histogram_median((0, 10, 20), (0, 0)) is None


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("NOUNFLOW_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no Chromium found: install the package chromium, or set NOUNFLOW_CHROMIUM to a browser's path")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


class Visit:
    """A page opened from disk, with all that it asked for and complained about."""

    def __init__(self, browser, file: Path, width: int, colours: str = "light", scripts: bool = True) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=colours, java_script_enabled=scripts
        )
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.route("**/*", self._route)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = file.as_uri()
        self.page.goto(self.url)

    def _route(self, route) -> None:
        url = route.request.url
        if url == self.url or url.startswith("data:"):
            route.continue_()
        else:
            self.asked.append(url)
            route.abort()

    def shown(self) -> int:
        return self.page.locator(".card:visible").count()


@pytest.fixture
def visit(browser, results):
    opened = []

    def go(**options) -> Visit:
        opened.append(Visit(browser, results[0] / "report.html", **options))
        return opened[-1]

    yield go
    for one in opened:
        one.context.close()


def test_the_browser_asks_for_nothing_and_finds_no_fault(visit):
    seen = visit(width=1280)
    seen.page.locator("#reading").scroll_into_view_if_needed()
    assert seen.asked == []
    assert seen.complaints == []
    widths = seen.page.eval_on_selector_all(".card img", "images => images.map(image => image.naturalWidth)")
    assert widths == [360] * 5


def test_the_table_holds_every_row_of_the_scores(visit, results):
    rows = read_document(Scores, results[0] / "scores.json", "scores").rows
    cells = visit(width=1280).page.locator("table.scores tbody tr").all_inner_texts()
    assert len(cells) == len(rows) == 2
    for row in rows:
        (text,) = [cell for cell in cells if cell.startswith(f"{row.run}\n")]
        assert f"{100 * row.prediction_score:.1f}" in text


def test_the_filters_show_what_they_count(visit):
    seen = visit(width=1280)
    assert seen.shown() == 5
    seen.page.get_by_role("button", name=re.compile("^right")).click()
    assert seen.shown() == 2  # the decoder's dog and cat
    seen.page.get_by_role("button", name=re.compile("^close")).click()
    assert seen.shown() == 0
    assert seen.page.locator("#none").is_visible()
    seen.page.get_by_role("button", name="tiny_retrieval").click()
    assert seen.shown() == 1  # retrieval's mouse for the cat
    assert seen.page.locator("#shown").inner_text() == "1 of 5 shown"
    assert seen.page.locator(".said:visible .noun").first.inner_text().startswith("mouse")
    seen.page.get_by_role("button", name=re.compile("^not judged")).click()
    assert seen.shown() == 1
    seen.page.get_by_role("button", name=re.compile("^runs differ")).click()
    assert seen.shown() == 2
    assert seen.page.locator("button[aria-pressed=true]").count() == 2
    for name in ("all runs", re.compile("^all \\d")):
        seen.page.get_by_role("button", name=name).click()
    assert seen.page.locator(".said:visible").count() == 10
    assert seen.complaints == []


def test_confident_errors_and_words_can_be_looked_for(visit):
    seen = visit(width=1280)
    seen.page.get_by_role("button", name=re.compile("^wrong but confident")).click()
    assert seen.shown() == 2  # the decoder's sheep and teapot
    seen.page.locator("#search").fill("TEAPOT")
    assert seen.shown() == 1
    seen.page.locator("#search").fill("no such noun")
    assert seen.shown() == 0
    assert seen.page.locator("#none").is_visible()
    assert seen.complaints == []


def test_without_scripts_every_card_and_run_is_there(visit):
    seen = visit(width=1280, scripts=False)
    assert seen.shown() == 5
    assert seen.page.locator(".said:visible").count() == 10
    assert not seen.page.locator("#controls").is_visible()


@pytest.mark.parametrize("width", [320, 375, 768])
def test_nothing_hangs_over_the_edge_of_a_narrow_screen(visit, width):
    seen = visit(width=width)
    for details in seen.page.locator("details").all():
        details.locator("summary").click()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_and_light_differ_and_both_can_be_read(visit):
    contrasts, backgrounds = [], set()
    for colours in ("light", "dark"):
        seen = visit(width=1280, colours=colours)
        for selector in ("h1", ".lead", "table.scores td", ".probability", ".file", "button[aria-pressed=true]"):
            contrasts.append((colours, selector, seen.page.locator(selector).first.evaluate(CONTRAST)))
        backgrounds.add(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2
    assert [one for one in contrasts if one[2] < 4.5] == []  # WCAG AA


CONTRAST = """element => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ink = light(getComputedStyle(element).color);
  let behind = element;
  while (/, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const paper = light(getComputedStyle(behind).backgroundColor);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}"""


def test_comparison_kinds_calibration_and_provenance_are_on_the_page(visit, results):
    page = visit(width=1280).page
    scores = read_document(Scores, results[0] / "scores.json", "scores")
    (one,) = scores.comparisons
    assert page.locator(".matrix td.none, .matrix td.better, .matrix td.worse").count() == 2
    assert f"{100 * one.difference[0][1]:+.1f}".replace("-", "−") in page.locator(".matrix").inner_text()
    assert page.locator("#kinds").count() == 0  # two labelled images are too few to draw
    assert page.locator("#calibration svg").count() >= 2
    text = page.locator("#provenance").inner_text()
    for row in scores.rows:
        assert row.split in text
        assert row.class_list in text


def test_published_scores_are_shown_only_if_wanted_and_say_what_they_are(results, tmp_path):
    folder, arguments = results
    assert "Tag2Text" not in (folder / "report.html").read_text()
    out = str(tmp_path / "report.html")
    call("report.py", [*arguments, "--published", "--out", out, "--report-counts", str(tmp_path / "counts.json")])
    html = (tmp_path / "report.html").read_text()
    assert "nothing in this table was measured here" in html
    assert html.count('<span class="kind">published</span>') == 20
    assert "88.27" in html


def test_every_picture_chart_and_table_has_words(visit):
    page = visit(width=1280).page
    alts = page.eval_on_selector_all("img", "images => images.map(image => image.alt)")
    assert "Image labelled dog" in alts
    assert all(alts)
    labels = page.eval_on_selector_all(
        "svg[role=img]", "charts => charts.map(chart => chart.getAttribute('aria-label'))"
    )
    assert any(label.startswith("Loss of tiny: trained on from 5 to") for label in labels)
    assert page.locator("table:not(:has(th[scope=col]))").count() == 0
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    targets = page.eval_on_selector_all("a[href^='#']", "all => all.map(one => one.getAttribute('href').slice(1))")
    assert set(targets) <= set(ids)
