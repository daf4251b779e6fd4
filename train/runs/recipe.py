"""Systems: whole recipes as data, each with the pictures that it reads and the protocol that it was published with.

system = Recipe.read("c-bilstm")
system.require(images)
run(images, system.recipe, system.protocol, 0, Path("runs/c-bilstm"))
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ser_images.data.common.errors import UserError
from ser_images.data.labels import SCHEMES, scheme_of
from ser_images.data.protocols import PROTOCOLS
from ser_images.export.architectures import architecture
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.plan import plan_of
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.evaluation.published_results import PUBLISHED_RESULTS, PublishedResult
from ser_images.train.training.config import TrainConfig

FOLDER = Path(__file__).with_name("recipes")
Part = TypeVar("Part")


@dataclass(frozen=True)
class ImageSetOptions:
    """The image set that a system reads, in the words of `ser-images build`.

    Raises:
        UserError: no such feature, label scheme or augmentation.
    """

    feature: str = "mel"
    labels: str = SCHEMES[0]
    augment: int = 0
    augmentations: str = "all"

    def __post_init__(self) -> None:
        ImageSpec.of_feature(self.feature)
        plan_of(self.augment, self.augmentations, self.labels, seed=0)

    def missing_in(self, images: ImageSet) -> str | None:
        """What an image set lacks, or has otherwise; None where it is such a one."""
        if images.spec.feature != self.feature:
            return f"its rows are {images.spec.feature}"
        if (scheme_of(images.labels) == "gender-emotion") != (self.labels == "gender-emotion"):
            return f"its labels are of scheme {scheme_of(images.labels)}"
        variants = len({row.variant for row in images.rows}) - 1
        if variants != self.augment:
            return f"it has {variants} augmented variants of a clip"
        drawn = {step["name"] for steps in {row.steps for row in images.rows} for step in json.loads(steps)}
        if other := drawn - set(plan_of(self.augment, self.augmentations, self.labels, seed=0).augmentations):
            return f"its variants draw {min(other)}"
        return None

    def command(self, out: Path) -> str:
        """What makes such an image set in `out`."""
        options = [f"--{name} {value}" for name, value in vars(self).items() if value != getattr(ImageSetOptions, name)]
        return " ".join(["ser-images build RECORDINGS --out", str(out), *options])

    @property
    def name(self) -> str:
        """A folder's name that no other pictures have."""
        told = [self.feature, *(value for name, value in vars(self).items() if value != getattr(ImageSetOptions, name))]
        return "-".join(dict.fromkeys(str(value).replace(",", "-") for value in told))


@dataclass(frozen=True)
class Recipe:
    """A whole recipe.

    Attributes:
        name: of its file, without the suffix.
        title: what it is, in one line.
        system: which of the systems in `ser_images.train.evaluation.published_results` it follows; empty where none.
        protocol: how its clips were divided when it was published.
    """

    name: str
    title: str
    system: str
    protocol: str
    images: ImageSetOptions
    recipe: TrainConfig

    @classmethod
    def read(cls, name: str) -> "Recipe":
        """A recipe of ours by name, or one in a TOML file.

        Raises:
            UserError: no such recipe, or one with an unknown key or a value that nothing can run with.
        """
        path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
        if not path.is_file():
            raise UserError(f"recipe {name}: expected a TOML file, or one of {', '.join(names())}")
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: no TOML that can be read ({error})") from error
        try:
            head = {key: value for key, value in content.items() if key not in ("images", "training")}
            told = _part(_Head, head, "at its top")
            images = _part(ImageSetOptions, content.get("images", {}), "in [images]")
            recipe = _part(TrainConfig, content.get("training", {}), "in [training]")
            architecture(recipe.architecture)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        return cls(path.stem, told.title, told.system, told.protocol, images, recipe)

    @property
    def published(self) -> PublishedResult | None:
        """The figure that it was published with."""
        return next((one for one in PUBLISHED_RESULTS if one.system and one.system == self.system), None)

    def changed(self, seed: int, weights: str = "") -> "Recipe":
        """The same with another seed, and other first weights where any are named."""
        return replace(self, recipe=replace(self.recipe, seed=seed, weights=weights or self.recipe.weights))

    def require(self, images: ImageSet) -> None:
        """Raise UserError where these are not the pictures that it reads."""
        if missing := self.images.missing_in(images):
            command = self.images.command(images.folder.with_name(self.images.name))
            raise UserError(f"{images.folder}: not the pictures of recipe {self.name}: {missing}; make them: {command}")


def names() -> list[str]:
    """The recipes that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@dataclass(frozen=True)
class _Head:
    title: str = ""
    system: str = ""
    protocol: str = "speaker"

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise UserError(f"protocol {self.protocol!r}: expected one of {', '.join(PROTOCOLS)}")


def _part(kind: type[Part], values: Mapping[str, Any], where: str) -> Part:
    if not isinstance(values, dict):
        raise UserError(f"{values!r} {where}: expected a table")
    defaults = vars(kind())
    known = {field.name: type(defaults[field.name]) for field in fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise UserError(f"unknown key {name!r} {where}: expected some of {', '.join(known)}")
        wanted = float if known[name] is type(None) else known[name]
        if not _is(value, wanted):
            raise UserError(f"{name} is {value!r} {where}: expected {_A[wanted]}")
    return kind(**values)


def _is(value: object, wanted: type) -> bool:
    if isinstance(value, dict):
        return wanted is dict and all(_is(one, float) for one in value.values())
    return isinstance(value, (int, float) if wanted is float else wanted) and not isinstance(value, bool)


_A = {str: "a string", int: "a whole number", float: "a number", dict: "a table of numbers"}
