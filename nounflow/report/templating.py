"""The templates of the report's pages."""

from importlib import resources

import jinja2
from markupsafe import Markup


def environment() -> jinja2.Environment:
    """Where they are found; a name that a page lacks is an error, and texts are escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("nounflow.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def verbatim(name: str) -> Markup:
    """A file beside them that goes into a page as it is: style or script."""
    return Markup((resources.files("nounflow.report") / "templates" / name).read_text(encoding="utf-8"))
