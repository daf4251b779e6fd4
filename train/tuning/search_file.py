"""A search file: a recipe with the table `[search]`, which has a range or choices for some fields of TrainConfig.

    [search]
    lr = {low = 1e-4, high = 1e-1, log = true}
    masks = {choices = [0, 1, 2]}

It imports neither torch nor Optuna until it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.toml_file import read_toml
from ser_images.train.runs.recipe import Recipe
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.options import Declared, declared, from_mapping, require_known, require_value

EXAMPLE = "lr = {low = 1e-4, high = 1e-1, log = true}, or masks = {choices = [0, 1, 2]}"
_FIXED = {
    "seed": "trials are compared on the same validation clips",
    "adapt": "it does not change the plain predictions, which are compared",
    "refit": "it leaves no validation clips to compare trials on",
}


@dataclass(frozen=True)
class Numbers:
    """A range of numbers, inclusive.

    Attributes:
        log: on a logarithmic scale.
        step: between neighbours; None: any number, or any whole one.
        whole: whole numbers only.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    whole: bool = False

    def suggest(self, trial: Any, name: str) -> float:
        """The number that an Optuna trial tries."""
        if self.whole:
            return int(
                trial.suggest_int(name, int(self.low or 0), int(self.high or 0), step=int(self.step or 1), log=self.log)
            )
        return float(trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log))


@dataclass(frozen=True)
class Choices:
    """Values without an order."""

    values: tuple[Any, ...]

    def suggest(self, trial: Any, name: str) -> Any:
        """The value that an Optuna trial tries."""
        return trial.suggest_categorical(name, self.values)


Ranges = Mapping[str, Numbers | Choices]


@dataclass(frozen=True)
class SearchFile:
    """A recipe, and what is searched around it.

    Attributes:
        content: of the file, but for `[search]`.
        search: the table `[search]`.
        ranges: the same, checked.
    """

    recipe: Recipe
    content: Mapping[str, Any]
    search: Mapping[str, Any]
    ranges: Ranges

    @classmethod
    def read(cls, path: Path) -> "SearchFile":
        """The search in a TOML file.

        Raises:
            UserError: no such file, no recipe, no table `[search]`, or a range that is not one of its field.
        """
        if path.suffix != ".toml" or not path.is_file():
            raise UserError(f"{path}: expected a TOML file, a recipe with a table [search], such as {EXAMPLE}")
        content = dict(read_toml(path))
        search = content.pop("search", None)
        with prefix_errors(path):
            recipe = Recipe.of(path.stem, content)
            with prefix_errors("[search]"):
                return cls(recipe, content, search or {}, _ranges(search))

    def config(self, values: Mapping[str, Any], seed: int) -> TrainConfig:
        """The config of a trial with these values; raises UserError where they exclude each other."""
        return TrainConfig.from_dict({**self.content.get("training", {}), **values, "seed": seed})


def _ranges(search: Any) -> Ranges:
    if not isinstance(search, Mapping) or not search:
        raise UserError(f"nothing to search: expected a table such as {EXAMPLE}")
    fields = {field.name: field for field in declared(TrainConfig)}
    found = {}
    for name, table in search.items():
        require_known(name, fields)
        if name in _FIXED:
            raise UserError(f"{name}: not searched, since {_FIXED[name]}")
        with prefix_errors(name):
            found[name] = _range(fields[name], table)
    return found


def _range(field: Declared, table: Any) -> Numbers | Choices:
    if isinstance(table, Mapping) and table.keys() == {"choices"}:
        return _choices(field, table["choices"])
    if field.type not in (int, float):
        raise UserError(f"{table!r}: expected {{choices = […]}}")
    numbers = from_mapping(Numbers, table)
    if numbers.low is None or numbers.high is None:
        raise UserError(f"{table!r}: expected {{low = …, high = …}} or {{choices = […]}}")
    for number in (numbers.low, numbers.high):
        require_value(field, number)
    if not numbers.low < numbers.high or (numbers.log and numbers.low <= 0):
        raise UserError(f"{table!r}: expected low below high, and above 0 with log = true")
    if numbers.step is not None:
        if numbers.log or not 0 < numbers.step <= numbers.high - numbers.low:
            raise UserError(f"{table!r}: expected a step above 0 that fits between low and high, without log = true")
        require_value(field, numbers.low + numbers.step)
    return Numbers(numbers.low, numbers.high, numbers.log, numbers.step, field.type is int)


def _choices(field: Declared, values: Any) -> Choices:
    if not isinstance(values, list) or not values or field.type is dict:
        raise UserError(f"choices are {values!r}: expected a list of values")
    for value in values:
        require_value(field, value)
    return Choices(tuple(values))
