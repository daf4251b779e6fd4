"""Names and values of training options in older recipes and runs."""

import logging
from typing import Any

OLD_NAMES = {
    "average": "ema_decay", "class_factors": "class_weight", "epoch_of": "epoch_over", "roll": "time_shift",
    "suggestion": "lr_suggestion",
}  # fmt: skip
"""Names of fields in older recipes and runs, and what they are called now."""
OLD_VALUES = {("weights", "voices"): "speech", ("epoch_over", "pictures"): "images"}
"""What they are called now."""
_logger = logging.getLogger("ser_images")


def renamed(name: str, value: Any, warn: bool) -> tuple[str, Any]:
    """An option as it is called now; `warn`: log a line where it was called otherwise."""
    new = OLD_NAMES.get(name, name)
    current = OLD_VALUES.get((new, value), value) if isinstance(value, str) else value
    if warn and new != name:
        _logger.warning("%s is now called %s; the old name will be removed in the next version", name, new)
    if warn and current != value:
        _logger.warning(
            "%s: %s is now called %s; the old value will be removed in the next version", new, value, current
        )
    return new, current
