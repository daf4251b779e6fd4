"""What a study found: a line for each trial, trials.csv, and the best one as a recipe."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ser_images.data.common.csv_file import csv_writer
from ser_images.data.common.folders import file_moved_into_place
from ser_images.train.tuning.search_file import SearchFile
from ser_images.train.tuning.study import ERROR


def completed(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were trained to the end, best first."""
    found = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(found, key=lambda trial: -(trial.value or 0.0))


def trial_line(study: optuna.Study, trial: FrozenTrial) -> str:
    """The result of a trial, such as `trial 3: UAR 0.512  lr 0.0123  (best: 0.551, trial 1)`."""
    values = "  ".join(f"{name} {_short(value)}" for name, value in trial.params.items())
    best = next(iter(completed(study)), None)
    text = f"trial {trial.number}: {_result(trial)}  {values}"
    return f"{text}  (best: {best.value:.3f}, trial {best.number})" if best else text


def _result(trial: FrozenTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        return f"UAR {trial.value:.3f}"
    if trial.state == TrialState.PRUNED:
        return f"pruned after step {trial.last_step}"
    return f"failed ({trial.user_attrs.get(ERROR, 'interrupted')})"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def rows(study: optuna.Study, names: Sequence[str], most: int) -> list[list[str]]:
    """The best trials for a table: number, UAR and each value that was searched."""
    return [
        [str(trial.number), f"{trial.value:.1%}", *(_short(trial.params[name]) for name in names)]
        for trial in completed(study)[:most]
    ]


def write_trials(study: optuna.Study, names: Sequence[str], path: Path) -> None:
    """Write a line for each trial: number, state, UAR, steps, seconds, the values, and the error of a failed one."""
    with file_moved_into_place(path) as file:
        writer = csv_writer(file)
        writer.writerow(["trial", "state", "uar", "steps", "seconds", *names, "error"])
        for trial in study.get_trials(deepcopy=False):
            value = trial.value if trial.state == TrialState.COMPLETE else None
            seconds = round(trial.duration.total_seconds(), 1) if trial.duration else None
            values = [trial.params.get(name) for name in names]
            state, error = trial.state.name.lower(), trial.user_attrs.get(ERROR)
            writer.writerow([trial.number, state, value, trial.last_step, seconds, *values, error])


def write_best(study: optuna.Study, search: SearchFile, protocol: str, path: Path) -> None:
    """Write the recipe of the best trial; nothing where none was trained to the end."""
    for best in completed(study)[:1]:
        training = {**search.content.get("training", {}), **best.params}
        content = {**search.content, "protocol": protocol, "training": training}
        content.pop("system", None)  # whose published result is of other values
        with file_moved_into_place(path) as file:
            file.write(f"# trial {best.number} of study {study.study_name}: UAR {best.value:.4f} on validation clips\n")
            file.write(_toml(content))


def _toml(content: Mapping[str, Any]) -> str:
    """A recipe file: keys, then tables of keys, one of which may be an inline table."""
    keys = [f"{key} = {_toml_value(value)}" for key, value in content.items() if not isinstance(value, Mapping)]
    for name, table in content.items():
        if isinstance(table, Mapping):
            keys += ["", f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]
    return "\n".join(keys) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_toml_value(str(key))} = {_toml_value(one)}' for key, one in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and booleans are written alike in TOML
