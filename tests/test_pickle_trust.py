"""A learner.pkl from elsewhere: what it would import is reported before anything in it runs."""

import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.files import write_sums
from ser_images.export.formats.fastai_pickle import read_learner
from ser_images.export.formats.pickle_names import imported_names, require_known_names, restricted_pickle
from ser_images.export.models import open_model
from ser_images.predict.cli import main


class Writes:
    """Unpickling one calls a function, as any pickle may."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def plain(thing: object, protocol: int) -> bytes:
    return pickle.dumps(thing, protocol)


def archive(thing: object, protocol: int) -> bytes:
    file = io.BytesIO()
    torch.save(thing, file, pickle_protocol=protocol)
    return file.getvalue()


def written_by_hand(target: Path) -> bytes:
    """os.system by STACK_GLOBAL, its strings taken from the memo, with other values pushed between."""
    command = f"touch {target}".encode()
    names = b"\x8c\x02os\x94\x8c\x06system\x940K\x01" + b"0h\x00h\x01\x93"
    return b"\x80\x04" + names + b"\x8c" + bytes([len(command)]) + command + b"\x85R."


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("wrap", [plain, archive])
@pytest.mark.parametrize("named", [True, False])
def test_a_malicious_pickle_is_reported_and_never_run(
    command: Command,
    voices: Path,
    tiny_run: Path,
    tmp_path: Path,
    wrap: Callable[[object, int], bytes],
    protocol: int,
    named: bool,
) -> None:
    run, target = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "written"
    thing = {"model": [Writes(os.system, f"touch {target}")], "more": "text"}
    (run / "learner.pkl").write_bytes(wrap(thing, protocol))
    options = ["--model-format", "pickle", "--trust-pickle"] if named else []
    if named:
        write_sums(run)
    code, _, error = command(main, "file", next(voices.rglob("*.wav")), "--model", run, *options)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {run / 'learner.pkl'}: would import {os.system.__module__}.system")
    assert not target.exists()


def test_a_pickle_written_by_hand(tmp_path: Path) -> None:
    target = tmp_path / "written"
    path = tmp_path / "learner.pkl"
    path.write_bytes(written_by_hand(target))
    assert [str(name) for name in imported_names(path.read_bytes())] == ["os.system"]
    with pytest.raises(UserError, match=r"learner.pkl: would import os.system"):
        read_learner(path)
    assert not target.exists()
    pickle.loads(path.read_bytes())  # noqa: S301  # it would have worked
    assert target.exists()


def test_a_computed_name_is_unknown() -> None:
    joined = b"\x80\x04cbuiltins\ngetattr\n(\x8c\x01a\x8c\x01btR\x8c\x06system\x93."
    assert [str(name) for name in imported_names(joined)] == ["builtins.getattr", "?.?"]


def test_known_names_cannot_be_turned_against_files(tmp_path: Path) -> None:
    """Only names of the allow list: getattr(Path, "write_text")(Path(…), …)."""
    target = tmp_path / "written"
    path = tmp_path / "learner.pkl"
    path.write_bytes(archive(Writes(Writes, 0), 2))
    opcodes = (
        b"\x80\x02c__builtin__\ngetattr\ncpathlib\nPath\nX\x0a\x00\x00\x00write_text\x86R"
        b"cpathlib\nPath\nX" + len(str(target)).to_bytes(4, "little") + str(target).encode() + b"\x85R"
        b"X\x01\x00\x00\x00x\x86R."
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("learner/data.pkl", opcodes)
        file.writestr("learner/version", "3\n")
        file.writestr("learner/byteorder", "little")
    require_known_names(path)
    with pytest.raises(UserError, match=r"gets 'write_text' of .*, as no learner of ser-train does"):
        read_learner(path)
    assert not target.exists()


def test_what_the_walk_misses_is_not_imported_either(tmp_path: Path) -> None:
    path, target = tmp_path / "thing.pkl", tmp_path / "written"
    path.write_bytes(archive(Writes(os.system, f"touch {target}"), 2))
    with pytest.raises(pickle.UnpicklingError, match=r"imports \w+.system"):
        torch.load(path, pickle_module=restricted_pickle(), weights_only=False)
    assert not target.exists()


def in_archive(opcodes: bytes, path: Path) -> Path:
    """The pickle as the only one of an archive, as torch.save writes them."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("learner/data.pkl", opcodes)
        file.writestr("learner/version", "3\n")
        file.writestr("learner/byteorder", "little")
    return path


def text(value: str) -> bytes:
    """The opcode that pushes a short text: SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(value)]) + value.encode()


MODULE = "torch.nn.modules.module"
POPEN = "torch.ctypes.util.subprocess.Popen"


def calls_popen(import_it: bytes, target: Path) -> bytes:
    """`Popen(["touch", target])`, whatever imports Popen."""
    return b"\x80\x04" + import_it + b"](" + text("touch") + text(str(target)) + b"e\x85R."


DOTTED = {
    "STACK_GLOBAL": text(MODULE) + text(POPEN) + b"\x93",
    "STACK_GLOBAL from the memo": text(MODULE) + b"\x94" + text(POPEN) + b"\x9400h\x00h\x01\x93",
    "GLOBAL": f"c{MODULE}\n{POPEN}\n".encode(),
    "a module that another imported": text(f"{MODULE}.torch.ctypes.util.subprocess") + text("Popen") + b"\x93",
}


@pytest.mark.parametrize("import_it", list(DOTTED.values()), ids=list(DOTTED))
def test_a_dotted_name_below_torch_is_refused(import_it: bytes, tmp_path: Path) -> None:
    """Through modules that a module of torch's imported, any function could be reached."""
    target, path = tmp_path / "written", tmp_path / "learner.pkl"
    opcodes = calls_popen(import_it, target)
    in_archive(opcodes, path)
    with pytest.raises(UserError, match=r"learner.pkl: would import torch.nn.modules.module.*subprocess.Popen, as no"):
        require_known_names(path)
    with pytest.raises(UserError, match="would import"):
        read_learner(path)
    with pytest.raises(pickle.UnpicklingError, match=r"it imports torch.nn.modules.module.*subprocess.Popen, as no"):
        restricted_pickle().load(io.BytesIO(opcodes))
    assert not target.exists()


def test_the_dotted_name_did_run_a_command(tmp_path: Path) -> None:
    """Without the list, so that the test above refuses something that works."""
    target = tmp_path / "written"
    process = pickle.loads(calls_popen(DOTTED["STACK_GLOBAL"], target))  # noqa: S301  # our own
    assert process.wait() == 0
    assert target.exists()


def test_a_trusted_bundle_with_a_dotted_name_runs_nothing(
    command: Command, voices: Path, tiny_run: Path, tmp_path: Path
) -> None:
    run, target = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "written"
    in_archive(calls_popen(DOTTED["STACK_GLOBAL"], target), run / "learner.pkl")
    write_sums(run)
    options = ("--model", run, "--model-format", "pickle", "--trust-pickle")
    code, _, error = command(main, "file", next(voices.rglob("*.wav")), *options)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {run / 'learner.pkl'}: would import {MODULE}.{POPEN}, as no learner")
    assert not target.exists()


def test_inst_with_a_dotted_name(tmp_path: Path) -> None:
    target = tmp_path / "written"
    opcodes = b"(" + text("touch") + text(str(target)) + f"i{MODULE}\n{POPEN}\n.".encode()
    assert [str(name) for name in imported_names(opcodes)] == [f"{MODULE}.{POPEN}"]
    with pytest.raises(UserError, match=r"would import torch.nn.modules.module.torch.ctypes"):
        require_known_names(in_archive(opcodes, tmp_path / "learner.pkl"))
    with pytest.raises(pickle.UnpicklingError, match="as no learner"):
        restricted_pickle().load(io.BytesIO(opcodes))


def test_a_chain_of_getattr_is_refused(tmp_path: Path) -> None:
    """getattr(getattr(Module, "forward"), "__globals__") and on: known names alone, but no known attribute."""
    start = b"\x80\x04c__builtin__\ngetattr\n\x94" + f"c{MODULE}\nModule\n".encode()
    opcodes = start + text("__init__") + b"\x86R0h\x00" + f"c{MODULE}\nModule\n".encode() + text("x") + b"\x86R."
    path = in_archive(opcodes.replace(b"\x80\x04", b"\x80\x02", 1), tmp_path / "learner.pkl")
    require_known_names(path)
    with pytest.raises(UserError, match=r"gets '__init__' of .*Module"):
        read_learner(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (MODULE, "OrderedDict"),  # imported there from collections
        (MODULE, "Tensor"),  # and from torch
        (MODULE, "T"),  # a type variable
        ("torch.nn.modules.container", "Module"),  # a layer, but of another module
    ],
)
def test_what_a_module_of_torch_imported_is_not_its_own(module: str, name: str) -> None:
    opcodes = b"\x80\x04" + text(module) + text(name) + b"\x93."
    with pytest.raises(pickle.UnpicklingError, match=f"it imports {module}.{name}, which is defined elsewhere"):
        restricted_pickle().load(io.BytesIO(opcodes))


def test_a_layer_is_found() -> None:
    opcodes = b"\x80\x04" + text("torch.nn.modules.linear") + text("Linear") + b"\x93."
    assert restricted_pickle().load(io.BytesIO(opcodes)) is torch.nn.Linear


def test_a_number_of_the_extension_registry_is_unknown() -> None:
    assert [str(name) for name in imported_names(b"\x80\x02\x82\x01.")] == ["?.?"]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more", plain({"a": 1}, 4)])
def test_files_that_fastai_did_not_export(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "learner.pkl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"learner.pkl: (no learner that fastai exported|damaged)"):
        read_learner(path)


def test_an_archive_with_two_pickles(tiny_run: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(tiny_run / "learner.pkl", tmp_path / "learner.pkl"))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("other/data.pkl", b"N.")
    with pytest.raises(UserError, match="2 pickles in it"):
        read_learner(path)


def test_our_own_pickle_loads_and_another_only_with_trust_pickle(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32), np.uint8)
    expected = open_model(tiny_run, "onnx")[1](images)
    assert open_model(tiny_run, "pickle")[1](images) == pytest.approx(expected, abs=1e-4)
    assert open_model(tiny_run / "learner.pkl")[1](images) == pytest.approx(expected, abs=1e-4)

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # another user, or another machine
    with pytest.raises(UserError, match=r"learner.pkl: a pickle that you did not write here.*--trust-pickle"):
        open_model(tiny_run, "pickle")
    assert open_model(tiny_run, "pickle", trust_pickle=True)[1](images) == pytest.approx(expected, abs=1e-4)


def test_adding_a_file_does_not_make_a_run_our_own(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_images.export.bundle.run_folder import changed_run

    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with changed_run(run) as folder:
        (folder / "README.md").write_text("another card")
    with pytest.raises(UserError, match="a pickle that you did not write here"):
        open_model(run, "pickle")
