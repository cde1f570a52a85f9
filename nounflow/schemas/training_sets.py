"""What a training set is made of, and how far images lie from its texts."""

from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embeddings import EmbedderIdentity


class ShardReference(StoredDocument):
    """A shard as a training set points at it."""

    path: str  # of the shard's manifest, relative to the training set's folder
    source: str
    rows: int
    digest: str  # of the shard's manifest


class TrainingSetManifest(StoredDocument):
    """results/training_sets/.../manifest.json: an index over shards, no vectors."""

    embedder: EmbedderIdentity
    lexicon: str
    lexicon_path: str
    mixture: dict[str, float]
    shards: tuple[ShardReference, ...]
    samples: int
    heldout: int
    index_sha256: str
    digest: str = ""  # over everything above


class ImageTextGap(StoredDocument):
    """results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.json."""

    embedder: EmbedderIdentity
    training_set: str  # sha256 of its index
    image_set: str
    images: int
    texts: int  # of the training split, among which each image's nearest was looked for
    angles: tuple[float, ...]  # quantiles, evenly spaced from least to greatest, in degrees: image to nearest text
    angle_mean: float
    angle_std: float
    shift: tuple[float, ...]  # [dim], mean image - mean of the images' nearest texts
    shift_norm: float
    residual_norm: float  # root mean square length of image - nearest text - shift
    axes: tuple[tuple[float, ...], ...]  # [axes, dim] of these residuals, each as long as its standard deviation
    variances: tuple[float, ...]  # [dim] of these residuals
