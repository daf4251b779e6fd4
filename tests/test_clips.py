from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from ser_images.data.clip import Clip
from ser_images.data.clips import Clips
from ser_images.data.common.disk_table import DiskTable
from ser_images.data.common.errors import UserError

ODD = "\udce9 \n'\"\\ é \U0001f600"
"""A name with a byte that is no UTF-8, as Python reads it from a disk."""


def clip(name: str, label: str = "calm") -> Clip:
    attributes = MappingProxyType({"statement": ODD})
    return Clip(Path(f"folder/{name}.wav"), name, label, "01", "mine", "female", attributes, 0.1, 2 / 3)


def test_clips_come_back_as_they_were_in_the_order_of_their_names() -> None:
    given = [clip("b"), clip(ODD), clip("a"), clip("Z"), replace(clip("c"), end_s=None, attributes={})]
    found = Clips(given)
    assert len(found) == 5
    assert list(found) == sorted(given, key=lambda one: one.name)
    for one in given:
        again = found.named(one.name)
        assert again == one
        assert dict(again.attributes) == dict(one.attributes)
    assert found.named("d") is None
    found.put(clip("a", "sad"))
    assert [one.label for one in found if one.name == "a"] == ["sad"]


def test_clips_by_number() -> None:
    found = Clips(clip(f"{number:04}") for number in range(1200))
    assert [found[0].name, found[-1].name, found[700].name] == ["0000", "1199", "0700"]
    assert [one.name for one in found[1198:0:-599]] == ["1198", "0599"]
    with pytest.raises(IndexError):
        found[1200]


def test_a_table_may_grow_while_it_is_read() -> None:
    table = DiskTable((f"{number:05}", "x") for number in range(0, 3000, 2))
    for key, _ in table.items():
        table.put(f"{int(key) + 1:05}", "y")
        if int(key) > 2000:
            break
    assert len(table) == 1500 + 1002
    assert table.get("00001") == "y"
    assert "00000" in table
    assert "99999" not in table


def test_a_full_folder_of_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    table = DiskTable()
    monkeypatch.setattr(table, "_database", _Full())
    with pytest.raises(UserError, match=r"temporary tables cannot be written \(database or disk is full\); make room"):
        table.put("a", "b")


class _Full:
    def execute(self, *_: object) -> object:
        import sqlite3

        raise sqlite3.OperationalError("database or disk is full")
