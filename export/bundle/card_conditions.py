"""The results in a model card by groups of clips, and with corrupted sound."""

from collections.abc import Mapping, Sequence
from typing import Any


def by_group(metrics: Mapping[str, Any]) -> str:
    """The table of the metrics by gender, corpus, language and intensity; empty where clips do not differ in them."""
    groups: Mapping[str, Sequence[Mapping[str, Any]]] = metrics.get("groups", {})
    rows = "".join(
        f"| {name}: {group['value'] or 'unknown'} | {group['clips']} | {group['accuracy']:.1%} | {group['uar']:.1%} | "
        f"{_calibration_error(group)} |\n"
        for name, several in groups.items()
        for group in several
    )
    if not rows:
        return ""
    return f"""
### By {_listed(list(groups))}

The UAR of a group is over the labels that its clips have. The calibration error is how far confidence and accuracy are
apart on average, and grows in small groups by chance.

| clips | number | accuracy | UAR | calibration error |
|---|---|---|---|---|
{rows}"""


def _calibration_error(group: Mapping[str, Any]) -> str:
    """Empty for metrics of an earlier version, which lack it."""
    return f"{group['ece']:.1%}" if "ece" in group else ""


def with_corruptions(rows: Sequence[Mapping[str, Any]], estimated: bool) -> str:
    """The table of the metrics with corrupted sound; empty where it was not measured.

    Args:
        rows: as `ser-train robustness` writes them.
        estimated: they are of the folds of a final model.
    """
    if not rows:
        return ""
    of = "The folds' networks on the same clips as above" if estimated else "The same clips as above"
    corpora = list(rows[0].get("uar_by_corpus", ()))
    table = "".join(
        f"| {row['corruption']} | {row['accuracy']:.1%} | {row['uar']:.1%} |"
        + "".join(f" {row['uar_by_corpus'][corpus]:.1%} |" for corpus in corpora)
        + "\n"
        for row in rows
    )
    headings = "".join(f" UAR, {corpus} |" for corpus in corpora)
    return f"""
### With corrupted sound

{of}, by `ser-train robustness`: simple models of noise, other speakers, microphones, rooms and codecs.

| sound | accuracy | UAR |{headings}
|---|---|---|{"---|" * len(corpora)}
{table}"""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
