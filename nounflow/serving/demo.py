"""A page on which one drops, pastes or takes a picture and sees what each given model finds in it. By Gradio.

It asks no other machine for anything: no telemetry, no share link, fonts of the system.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from nounflow.classifier import NounClassifier
from nounflow.errors import NounflowError
from nounflow.image_sources import as_image
from nounflow.images import ImageError
from nounflow.namings import Naming
from nounflow.regions.photographs import FoundRegions
from nounflow.serving.drawn import drawn
from nounflow.tags.naming import Tagging

_TOP = 5  # bars
_NEAREST = 5
_FONTS = ["system-ui", "sans-serif"]
_NOTHING = "drop, paste or take a picture"
ONE, SEVERAL, REGIONS = "one noun", "several nouns, each with its box", "regions"
_SIDE = 800  # pixels of a drawn picture's longer side

_Shape = tuple[str, tuple[int, ...], str]  # how Pillow draws it, where, colour
_DRAWINGS: dict[str, tuple[str, *tuple[_Shape, ...]]] = {  # of the background the colour
    "balloon": (
        "#9ed2f5",
        ("rectangle", (159, 150, 161, 230), "#444444"),
        ("polygon", (150, 138, 170, 138, 160, 150), "#8f1424"),
        ("ellipse", (110, 20, 210, 140), "#d7263d"),
    ),
    "traffic light": (
        "#dfe7ea",
        ("rectangle", (156, 150, 164, 240), "#444444"),
        ("rectangle", (130, 20, 190, 190), "#222222"),
        ("ellipse", (140, 30, 180, 70), "#e02020"),
        ("ellipse", (140, 82, 180, 122), "#e8b820"),
        ("ellipse", (140, 134, 180, 174), "#20a040"),
    ),
    "orange": (
        "#f4efe6",
        ("ellipse", (80, 200, 240, 225), "#cfc6b4"),
        ("ellipse", (90, 55, 230, 215), "#f28c18"),
        ("ellipse", (154, 60, 168, 70), "#3b6b1f"),
    ),
}


def demo_page(classifiers: Mapping[str, NounClassifier], examples: Sequence[Path], confidence: float) -> gr.Blocks:
    """The page.

    Args:
        classifiers: by the names that stand over their answers.
        examples: pictures to click on.
        confidence: that the most specific sure name reaches.
    """

    @functools.cache  # computed when first asked for
    def noun_vectors(name: str) -> np.ndarray:
        return classifiers[name].encode_texts([f"a photo of {noun}" for noun in classifiers[name].nouns])

    def answer(path: str | None, mode: str, listed: str) -> list[Any]:
        nouns = [noun.strip() for noun in re.split(r"[,;\n]", listed) if noun.strip()]
        cells: list[Any] = []
        image, nothing = None, _NOTHING
        try:
            image = path and as_image(path)
        except ImageError as problem:
            nothing = f"The picture cannot be read: {problem}"
        for name, classifier in classifiers.items():
            bars, picture, words = dict[str, float](), None, nothing
            try:
                if image and mode == ONE:
                    bars, words = _named(classifier, image, nouns, noun_vectors(name), confidence)
                elif image:
                    found = _found(classifier, image, mode, nouns)
                    picture, words = drawn(image, found, _SIDE), f"{name}\n\n{_listing(found)}"
            except NounflowError as error:
                words = str(error).splitlines()[0]
            cells += [gr.update(value=bars, visible=mode == ONE), gr.update(value=picture, visible=mode != ONE), words]
        return cells

    with gr.Blocks(title="nounflow", analytics_enabled=False) as page:
        gr.Markdown("# What is in this picture?")
        with gr.Row():
            with gr.Column(min_width=260):
                image = gr.Image(  # the file itself: Gradio would show what is transparent as it happens to be stored
                    label="picture", type="filepath", image_mode=None, elem_id="picture",
                    sources=["upload", "clipboard", "webcam"],
                )  # fmt: skip
                mode = gr.Radio([ONE, SEVERAL, REGIONS], value=ONE, label="answer with", elem_id="mode")
                listed = gr.Textbox(
                    label="from this list only", placeholder="cat, dog, bird: none means all nouns", elem_id="list"
                )
                if examples:
                    gr.Examples([[str(path)] for path in examples], image)
            outputs: list[Any] = []
            for number, name in enumerate(classifiers):
                with gr.Column(min_width=260):
                    outputs += [
                        gr.Label(label=name, num_top_classes=_TOP, elem_id=f"bars{number}"),
                        gr.Image(
                            show_label=False,
                            visible=False,
                            interactive=False,
                            buttons=["download", "fullscreen"],
                            elem_id=f"drawn{number}",
                        ),
                        gr.Markdown(_NOTHING, elem_id=f"words{number}"),
                    ]
        wanted = gr.State("")  # the list that was asked with: Enter and then a click elsewhere ask once
        gr.on([listed.submit, listed.blur], lambda text: text, listed, wanted, api_visibility="private")
        gr.on(
            [image.change, mode.change, wanted.change], answer, [image, mode, wanted], outputs,
            api_visibility="private", show_progress="minimal",
        )  # fmt: skip
    found: gr.Blocks = page
    return found


def _named(
    classifier: NounClassifier, image: Image.Image, nouns: list[str], vectors: np.ndarray, confidence: float
) -> tuple[dict[str, float], str]:
    """Bars of one noun's candidates, and the words below them."""
    vector = classifier.encode_images([image])
    chosen = classifier.guide(nouns) if nouns else classifier
    (naming,) = chosen.classify_embeddings(vector, _TOP)
    bars = dict(zip(naming.nouns, naming.probabilities, strict=True))
    cosines = vectors @ vector[0]  # of all its nouns
    nearest = [(classifier.nouns[i], float(cosines[i])) for i in np.argsort(-cosines)[:_NEAREST]]
    left_out = [noun for noun in nouns if noun not in set(chosen.nouns)]
    told = f"\n\nThis model cannot say: {', '.join(left_out)}" if left_out else ""
    return bars, _words(naming, nearest, confidence) + told


def _found(classifier: NounClassifier, image: Image.Image, mode: str, nouns: list[str]) -> Tagging | FoundRegions:
    """Several nouns, or regions, with a list or without."""
    if mode == SEVERAL:
        return classifier.tags(image, nouns or None)[0]
    return next((classifier.guide(nouns) if nouns else classifier).regions([image]))


def _listing(found: Tagging | FoundRegions) -> str:
    """What was found, a line for each noun."""
    if isinstance(found, Tagging):
        lines = [f"**{each.noun}** {each.score:.2f}{f', by {each.by}' if each.by else ''}" for each in found.nouns]
        lines += [f"labels that mean the same: {', '.join(found.alike)}"] * bool(found.alike)
    else:
        lines = [f"**{one.noun}** {one.probability:.0%}" for one in found.boxes]
    return "\n\n".join(lines) or "nothing sure"


def start(page: gr.Blocks, host: str, port: int, examples: Sequence[Path], *, block: bool = True) -> str:
    """Serve the page until Ctrl+C; returns its address at once where `block` is off. Port 0: any that is free."""
    _app, address, _share = page.launch(
        server_name=host, server_port=port or None, share=False, quiet=True, inbrowser=False, prevent_thread_lock=True,
        ssr_mode=False, max_file_size=20_000_000, show_error=False, footer_links=[],
        enable_monitoring=False, strict_cors=True, allowed_paths=[str(path.parent) for path in examples],
        theme=gr.themes.Default(font=_FONTS, font_mono=["monospace"]),
    )  # fmt: skip
    if block:
        print(f"listening at {address}", flush=True)
        page.block_thread()
    return str(address)


def draw_examples(folder: Path) -> list[Path]:
    """Three simple pictures, drawn here and so without anybody's licence."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (background, *shapes) in _DRAWINGS.items():
        image = Image.new("RGB", (320, 240), background)
        pen = ImageDraw.Draw(image)
        for kind, box, colour in shapes:
            getattr(pen, kind)(box, fill=colour)
        paths.append(folder / f"{name}.png")
        image.save(paths[-1])
    return paths


def _words(naming: Naming, nearest: Sequence[tuple[str, float]], confidence: float) -> str:
    """Below the bars: the sure name, its chain, what lies nearest."""
    lines = []
    if naming.chain:
        sure = naming.sure(confidence)
        found = f"**{sure[0]}** ({sure[1]:.0%})" if sure else "nothing"
        lines.append(f"Sure of at least {confidence:.0%}: {found}")
        lines.append(" → ".join(f"{noun} {probability:.0%}" for noun, probability in naming.chain))
    lines.append("Nearest nouns by cosine: " + ", ".join(f"{noun} {cosine:.2f}" for noun, cosine in nearest))
    return "\n\n".join(lines)
