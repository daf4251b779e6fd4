"""The licence of a model: the one that its bundle states, else that of the corpora that it was trained on.

licence_of_model(bundle)                            # "CC-BY-NC-SA-4.0"
"""

from collections.abc import Mapping

from ser_images.export.bundle.bundle import Bundle

_HUB_BY_SPDX: Mapping[str, str] = {
    "Apache-2.0": "apache-2.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-ND-4.0": "cc-by-nc-nd-4.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC0-1.0": "cc0-1.0",
    "MIT": "mit",
    "ODbL-1.0": "odbl",
}
"""SPDX identifiers (https://spdx.org/licenses), and what the Hugging Face Hub calls these licences."""


def licence_of_model(bundle: Bundle) -> str:
    """The SPDX identifier of a model's licence; empty where it is not known, or its corpora have several."""
    spdx_by_hub = {hub: spdx for spdx, hub in _HUB_BY_SPDX.items()}
    return bundle.license or spdx_by_hub.get(_of_corpora(bundle), "")


def hub_licence_of_model(bundle: Bundle) -> str:
    """A model's licence as the Hugging Face Hub names it; `other` where it has no name for it."""
    return _HUB_BY_SPDX.get(bundle.license, "other") if bundle.license else _of_corpora(bundle)


def _of_corpora(bundle: Bundle) -> str:
    from ser_images.data.corpora.registry import licence_id_of  # with all corpora, 30 ms

    found = {licence_id_of(corpus) for corpus in corpora_of(bundle)}
    return found.pop() if len(found) == 1 else "other"


def corpora_of(bundle: Bundle) -> list[str]:
    """The corpora that a model was trained on, and those of its starting weights."""
    before = bundle.training.get("lineage", {}).get("corpora", ())
    return list(dict.fromkeys([*bundle.training.get("corpora", ()), *before]))
