"""What programs read of a bundle's `training`, which is otherwise free."""

from collections.abc import Mapping
from typing import Any

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.facts import OBJECT, SHARE, TEXT, TEXTS, Facts, require_facts

_FACTS: Facts = {
    ("corpora",): TEXTS,
    ("label_map",): OBJECT,
    ("lineage",): OBJECT,
    ("lineage", "corpora"): TEXTS,
    ("lineage", "models"): TEXTS,
    ("lineage", "teacher", "architecture"): TEXT,
    ("metrics",): OBJECT,
    ("metrics", "uar"): SHARE,
    ("metrics", "adaptation", "*", "adapted"): OBJECT,
    ("metrics", "adaptation", "*", "adapted", "uar"): SHARE,
}


def require_training(training: Any) -> None:
    """Raise UserError where a fact in a bundle's `training` has another type than `ser-train` writes."""
    if not isinstance(training, Mapping):
        raise UserError(f"training is {training!r}, expected an object")
    with prefix_errors("training"):
        require_facts(training, _FACTS)
