"""Recipes: a TrainConfig with its image set and its protocol, as data.

recipe = Recipe.read("c-bilstm")
recipe.require(image_set)
run(image_set, recipe.config, recipe.protocol, 0, Path("runs/c-bilstm"))
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.toml_file import read_toml
from ser_images.data.labels import SCHEMES, scheme_of
from ser_images.data.protocols import PROTOCOLS
from ser_images.export.architectures import architecture
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.plan import make_plan
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.evaluation.published_results import PUBLISHED_RESULTS, PublishedResult
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.options import from_mapping, require_one_of

LOGGER = logging.getLogger("ser_images")
FOLDER = Path(__file__).with_name("recipes")


@dataclass(frozen=True)
class ImageSetOptions:
    """The image set of a recipe, as options of `ser-images build`.

    Raises:
        UserError: an unknown feature, label scheme or augmentation.
    """

    feature: str = "mel"
    labels: str = SCHEMES[0]
    variants: int = 0
    augmentations: str = "all"

    def __post_init__(self) -> None:
        ImageSpec.of_feature(self.feature)
        make_plan(self.variants, self.augmentations, self.labels, seed=0)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ImageSetOptions":
        """The options in a recipe file; `augment`, the key of version 0.1, is read as `variants`, with a warning."""
        if isinstance(values, dict) and "augment" in values:
            LOGGER.warning("augment is now called variants; the old name will be removed in the next version")
            values = {"variants" if name == "augment" else name: value for name, value in values.items()}
        return from_mapping(cls, values)

    def difference(self, image_set: ImageSet) -> str | None:
        """How an image set differs from this one; None where it does not."""
        if image_set.spec.feature != self.feature:
            return f"its feature is {image_set.spec.feature}"
        if (scheme_of(image_set.labels) == "gender-emotion") != (self.labels == "gender-emotion"):
            return f"its label scheme is {scheme_of(image_set.labels)}"
        n_variants = len({row.variant for row in image_set.rows}) - 1
        if n_variants != self.variants:
            return f"it has {n_variants} augmented variants of a clip, expected {self.variants}"
        used = {name for row in image_set.rows for name in row.step_names}
        if other := used - set(make_plan(self.variants, self.augmentations, self.labels, seed=0).augmentations):
            return f"its variants use {min(other)}"
        return None

    def command(self, out: Path) -> str:
        """The command that builds such an image set in `out`."""
        options = [f"--{name} {value}" for name, value in self._changed.items()]
        return " ".join(["ser-images build RECORDINGS --out", str(out), *options])

    @property
    def name(self) -> str:
        """A folder name that no other image set has."""
        parts = [self.feature, *self._changed.values()]
        return "-".join(dict.fromkeys(str(value).replace(",", "-") for value in parts))

    @property
    def _changed(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value != getattr(ImageSetOptions, name)}


@dataclass(frozen=True)
class Recipe:
    """A TrainConfig with its image set and its protocol.

    Attributes:
        name: of its file, without the suffix.
        title: one line about it.
        system: the letter of the public system in `ser_images.train.evaluation.published_results` that it follows;
            empty where none.
        protocol: the one that it was published with.
        config: resolved.
    """

    name: str
    title: str
    system: str
    protocol: str
    images: ImageSetOptions
    config: TrainConfig

    @classmethod
    def read(cls, name: str) -> "Recipe":
        """A built-in recipe by name, or one in a TOML file.

        Raises:
            UserError: no such recipe, an unknown key, or a value that no training can run with.
        """
        path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
        if not path.is_file():
            raise UserError(f"recipe {name}: expected a TOML file, or one of {', '.join(names())}")
        content = read_toml(path)
        with prefix_errors(path):
            return cls.of(path.stem, content)

    @classmethod
    def of(cls, name: str, content: Mapping[str, Any]) -> "Recipe":
        """The recipe with the content of a TOML file; raises UserError as `read`."""
        tables = ("images", "training")
        head = from_mapping(_RecipeHeader, {key: value for key, value in content.items() if key not in tables})
        with prefix_errors("[images]"):
            options = ImageSetOptions.from_dict(content.get("images", {}))
        with prefix_errors("[training]"):
            config = TrainConfig.from_dict(content.get("training", {}), warn=True).resolved()
        architecture(config.architecture)
        return cls(name, head.title, head.system, head.protocol, options, config)

    @property
    def published(self) -> PublishedResult | None:
        """The published result of the system that it follows."""
        return next((one for one in PUBLISHED_RESULTS if one.system and one.system == self.system), None)

    def changed(self, seed: int, weights: str = "") -> "Recipe":
        """The same with another seed, and with other initial weights where they are given."""
        values = {"seed": seed, "weights": weights or self.config.weights}
        return replace(self, config=TrainConfig.from_dict(asdict(self.config) | values, warn=True))

    def require(self, image_set: ImageSet) -> None:
        """Raise UserError where this is not the image set of the recipe."""
        if difference := self.images.difference(image_set):
            command = self.images.command(image_set.folder.with_name(self.images.name))
            raise UserError(
                f"{image_set.folder}: not the image set of recipe {self.name}: {difference}; build it: {command}"
            )


def names() -> list[str]:
    """The built-in recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@dataclass(frozen=True)
class _RecipeHeader:
    """The keys at the top of a recipe file."""

    title: str = ""
    system: str = ""
    protocol: str = "speaker"

    def __post_init__(self) -> None:
        require_one_of("protocol", self.protocol, PROTOCOLS)
