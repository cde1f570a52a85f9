"""How texts look through an image tower, where noise does not say it. Light to import."""

from nounflow.registry import Registry

VIEWS: Registry[str] = {  # embedder family -> place of `function(vectors)`, unit vectors to unit vectors
    "bundled": "nounflow.embedders.bundled_views:as_images",
}


def view_of(spec: str) -> str:
    """The place for an embedder; empty: noise stands for what images differ by."""
    return VIEWS.get(spec.partition(":")[0], "")
