"""The frame of the four commands: shared options, the default command, log lines, and missing extras."""

import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from conftest import Command
from ser_images.data.common.command_line import command_line, new_app
from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import install_command, installed_version

COMMANDS = {"ser-images": "spectrogram_gen", "ser-train": "train", "ser-predict": "predict", "ser-export": "export"}


def main_of(name: str) -> Callable[[], None]:
    main: Callable[[], None] = import_module(f"ser_images.{COMMANDS[name]}.cli").main
    return main


def toy(default: str | None = "write") -> Callable[[], None]:
    """A command line of the same frame with two commands that print their argument."""
    app = new_app(default)

    @app.callback()
    def callback() -> None:
        """A toy."""

    @app.command()
    def write(run: str, to: str = "zip") -> None:
        logging.getLogger("ser_images").debug("details")
        logging.getLogger("ser_images").info("information")
        logging.getLogger("ser_images").warning("careful")
        print(f"write {run} {to}")

    @app.command()
    def compare(run: str) -> None:
        raise UserError(f"compare {run}")

    def main() -> None:
        with command_line():
            app()

    return main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_short_help_and_a_version(name: str, command: Command) -> None:
    main = main_of(name)
    short, long = command(main, "-h"), command(main, "--help")
    assert short == long
    assert (short[0], short[2]) == (0, "")
    for option in ("-h, --help", "--version", "-v, --verbose", "-q, --quiet", "--install-completion"):
        assert option in short[1]
    code, out, error = command(main, "--version")
    assert (code, out.splitlines()[0], error) == (0, f"ser-images {installed_version()}", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_cuts_no_sentence(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = command(main_of(name), "-h")[1].partition("Commands:")[2].strip().splitlines()
    assert listed
    assert [line for line in listed if not line.endswith(".")] == []
    assert [line for line in listed if line.endswith("...")] == []


def test_the_options_go_before_and_after_the_command(command: Command) -> None:
    main = toy()
    printed = "write first zip\n"
    for arguments in (["-v", "write", "first"], ["write", "first", "-v"], ["-v", "first"], ["first", "--verbose"]):
        assert command(main, *arguments) == (0, printed, "details\ninformation\nwarning: careful\n")
    assert command(main, "first") == (0, printed, "information\nwarning: careful\n")
    assert command(main, "-q", "first") == (0, printed, "warning: careful\n")
    assert command(main, "write", "--version") == (0, f"ser-images {installed_version()}\n", "")
    assert "Usage" in command(main, "write", "-h")[1]
    assert logging.getLogger("ser_images").handlers == []


@pytest.mark.parametrize("word", ["runs/compare", "./compare", "compare.zip", "comparison-run", "/tmp/write"])
def test_a_path_like_a_command_is_an_argument_of_the_default_command(command: Command, word: str) -> None:
    assert command(toy(), word, "--to", "zip")[1] == f"write {word} zip\n"
    assert command(toy(), "--to", "onnx", word)[1] == f"write {word} onnx\n"


def test_an_existing_path_is_no_misspelt_command(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = command(toy(), "comapre")
    assert (code, error.splitlines()[-1]) == (2, "Error: No such command 'comapre'. Did you mean 'compare'?")
    Path("comapre").mkdir()
    assert command(toy(), "comapre")[1] == "write comapre zip\n"
    assert command(toy(), "compare", "x") == (2, "", "error: compare x\n")


def test_a_run_in_runs_compare_is_packed(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    run = tmp_path / "runs" / "compare"
    run.symlink_to(tiny_run)
    code, out, _ = command(main_of("ser-export"), run, "--to", "zip", "--out", tmp_path / "compare.zip")
    assert (code, out) == (0, f"{tmp_path / 'compare.zip'}\n")
    assert (tmp_path / "compare.zip").is_file()


@pytest.fixture
def metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another installation of the package, found first, with requirements as its metadata lists them."""
    folder = tmp_path / "ser_images-9.9.dist-info"
    folder.mkdir()
    required = [
        "soxr<2,>=0.5", "torch<3,>=2.6; extra == 'train'", 'scikit-learn>=1.5; extra == "train"',
        'timm<2,>=1.0.16; extra == "timm"', 'torch>=2; extra == "dev"', 'torchvision; extra == "train"',
    ]  # fmt: skip
    lines = [
        "Metadata-Version: 2.4",
        "Name: ser-images",
        "Version: 9.9",
        *(f"Requires-Dist: {one}" for one in required),
    ]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("metadata")
@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("soxr", "pip install ser-images"),
        ("torch", "pip install 'ser-images[train]'"),
        ("torch.nn", "pip install 'ser-images[train]'"),
        ("torchvision", "pip install 'ser-images[train]'"),
        ("sklearn.svm", "pip install 'ser-images[train]'"),
        ("timm", "pip install 'ser-images[timm]'"),
        ("nobody_s_module", None),
        ("ser_images.no_such_module", None),
        ("", None),
    ],
)
def test_the_command_that_installs_a_module(module: str, expected: str | None) -> None:
    assert install_command(module) == expected


@pytest.mark.usefixtures("metadata")
def test_a_missing_extra_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop, command_line():
        raise ModuleNotFoundError("No module named 'timm'", name="timm.models")
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: timm.models is not installed; install it: pip install 'ser-images[timm]'\n"
    )
    with pytest.raises(ModuleNotFoundError), command_line():
        raise ModuleNotFoundError("No module named 'mistake'", name="mistake")


def test_a_name_that_is_not_utf_8_is_printed_as_escapes(tmp_path: Path) -> None:
    code = (
        "from ser_images.data.common.command_line import command_line\n"
        "with command_line(): print('caf\\udce9.wav', 'm\\u00fcde')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "caf\\udce9.wav m\\xfcde\n"


@pytest.mark.parametrize(("option", "colour", "drawn"), [("-v", True, True), ("-v", False, True), ("-q", False, False)])
def test_a_terminal_gets_progress_unless_quiet_and_colour_unless_no_color(
    voices: Path, option: str, colour: bool, drawn: bool
) -> None:
    code = "import sys; sys.argv[0] = 'ser-images'; from ser_images.spectrogram_gen.cli import main; main()"
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", **({} if colour else {"NO_COLOR": "1"})}
    arguments = ["check", str(voices / "Actor_01"), "--corpus", "synthetic", option]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    )
    os.close(theirs)
    printed = b""
    try:
        while block := os.read(ours, 4096):
            printed += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert (b"reading" in printed) == drawn
    assert (b"\x1b[3" in printed or b"\x1b[38" in printed) == colour
