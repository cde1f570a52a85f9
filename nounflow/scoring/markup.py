"""Tables as Markdown and as LaTeX."""

from nounflow.scoring.tables import Table

_LATEX = {
    **{character: f"\\{character}" for character in "_%&#${}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "<": "$<$", ">": "$>$", "κ": r"$\kappa$"},
}


def markdown_table(table: Table) -> str:
    """A table in GitHub's Markdown."""
    caption, headings, cells, text = table
    lines = [f"{caption}.", "", "| " + " | ".join(headings) + " |"]
    lines.append("|" + "|".join("---" if i < text else "---:" for i in range(len(headings))) + "|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def latex_table(table: Table) -> str:
    """A table for the package booktabs."""
    caption, headings, cells, text = table
    columns = "l" * text + "r" * (len(headings) - text)
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in cells]
    return "\n".join(
        [
            rf"% {caption}. Needs \usepackage{{booktabs}}.",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_escaped, headings)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
