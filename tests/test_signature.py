"""Signatures of bundles: made and verified by the commands, removed with what they were made of, minisign's own."""

import base64
import os
import pty
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from conftest import Command, write_keys
from mutation import accepted_or_refused, mutated_bytes
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.files import SIGNATURE, SUMS, BundleFiles, write_sums
from ser_images.export.bundle.packaging import write_hub_folder, write_zip
from ser_images.export.bundle.signature import require_signed, sign
from ser_images.export.cli import main
from ser_images.export.licensing import state_license
from ser_images.export.models import open_model
from ser_images.export.shipped.catalogue import default_model
from ser_images.export.signing import PASSWORD, sign_bundle, signed_comment
from ser_images.predict.cli import main as predict
from ser_images.predict.example import example
from ser_images.predict.model import Model
from ser_images.predict.webpage.model_files import model_files

minisign = pytest.importorskip("minisign")
needs_program = pytest.mark.skipif(not shutil.which("minisign"), reason="needs minisign: apt install minisign")
SHIPPED = default_model()
assert SHIPPED


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may change."""
    assert SHIPPED
    return Path(shutil.copytree(SHIPPED.folder, tmp_path / "bundle"))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path)


@pytest.fixture
def public(bundle: Path, keys: tuple[Path, Path]) -> Path:
    """The key that verifies the bundle, which is signed."""
    sign_bundle(bundle, keys[0])
    return keys[1]


def zipped(bundle: Path) -> Path:
    """All files of a folder in a zip beside it."""
    path = bundle.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(bundle.iterdir()):
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize("pack", [Path, zipped])
def test_sign_and_verify(command: Command, bundle: Path, keys: tuple[Path, Path], pack: Callable[[Path], Path]) -> None:
    path, (secret, public) = pack(bundle), keys
    before = BundleFiles.open(path).content
    assert command(main, "sign", path, "--key", secret) == (0, f"{path}: signed\n", "")
    code, out, error = command(main, "verify", path, "--key", public)
    assert (code, error) == (0, "")
    model_id = Model.load(path).bundle.model_id
    assert out.startswith(f"{path}: complete, model {model_id}, 8 labels, spec ")
    assert "; signed: timestamp:" in out
    assert out.endswith(f" file:SHA256SUMS model:{model_id}\n")
    files = BundleFiles.open(path, public)
    assert (files.content, SIGNATURE in files) == (before, False), "the sums stay as they were"
    assert command(main, "verify", path)[0] == 0, "without a key a signature is not looked at"
    assert not list(path.parent.glob("*.part")) + list(path.parent.glob(".*"))


def test_a_folder_is_signed_again_and_a_zip_is_not(command: Command, bundle: Path, public: Path) -> None:
    secret, other = write_keys(bundle.parent, "other")
    path = zipped(bundle)
    assert command(main, "sign", bundle, "--key", secret)[0] == 0
    assert command(main, "verify", bundle, "--key", other)[0] == 0
    assert command(main, "verify", bundle, "--key", public)[0] == 2
    code, out, error = command(main, "sign", path, "--key", secret)
    assert (code, out, error.startswith(f"error: {path}: signed already; ")) == (2, "", True)
    assert command(main, "verify", path, "--key", public)[0] == 0


def edited(name: str, old: bytes, new: bytes) -> Callable[[Path], object]:
    """The first `old` in a file becomes `new`."""

    def edit(bundle: Path) -> None:
        content = (bundle / name).read_bytes()
        assert old in content
        (bundle / name).write_bytes(content.replace(old, new, 1))

    return edit


def forged(bundle: Path) -> None:
    """Another model card, and the sums of all files as they are now, as an attacker would leave them."""
    (bundle / "README.md").write_text("mine\n")
    kept = (bundle / SIGNATURE).read_bytes()
    write_sums(bundle)
    (bundle / SIGNATURE).write_bytes(kept)


def pipe(bundle: Path) -> None:
    (bundle / SIGNATURE).unlink()
    os.mkfifo(bundle / SIGNATURE)


def signed_by_another(bundle: Path) -> None:
    sign_bundle(bundle, write_keys(bundle.parent, "other")[0])


def signature_of_another_bundle(bundle: Path) -> None:
    other = Path(shutil.copytree(bundle, bundle.with_name("other")))
    (other / "README.md").write_text("another\n")
    write_sums(other)
    sign_bundle(other, bundle.parent / "author.key")
    shutil.copy(other / SIGNATURE, bundle)


TOO_LARGE: dict[Callable[[Path], Path], str] = {Path: "expected at most 65536", zipped: "more than any bundle's does"}
ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no signature": (lambda bundle: (bundle / SIGNATURE).unlink(), "not signed (it has no SHA256SUMS.minisig), "),
    "an empty one": (lambda bundle: (bundle / SIGNATURE).write_text(""), "(invalid number of lines)"),
    "a large one": (lambda bundle: (bundle / SIGNATURE).write_bytes(b"\n" * 70_000), TOO_LARGE[Path]),
    "a pipe": (pipe, "expected a regular file"),
    "another key": (signed_by_another, "(incompatible key identifiers)"),
    "another bundle's": (signature_of_another_bundle, "(signature verification failed)"),
    "another comment": (edited(SIGNATURE, b"file:SHA", b"file:sha"), "(signature verification failed)"),
    "changed sums": (forged, "(signature verification failed)"),
    "sums with another end of a line": (edited(SUMS, b"\n", b"\r\n"), "(signature verification failed)"),
    "a changed file": (edited("README.md", b"e", b"E"), "README.md: changed since SHA256SUMS was written"),
    "a changed model": (edited("model.onnx", b"e", b"E"), "model.onnx: changed since SHA256SUMS was written"),
    "a missing file": (lambda bundle: (bundle / "LICENSE").unlink(), "LICENSE: missing"),
    "a further model": (
        lambda bundle: (bundle / "learner.PKL").touch(),
        "learner.PKL: a model that SHA256SUMS does not",
    ),
}


@pytest.mark.parametrize("pack", [Path, zipped])
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_as_it_was_signed_is_refused(
    command: Command, bundle: Path, public: Path, attack: str, pack: Callable[[Path], Path]
) -> None:
    if (attack, pack) == ("a pipe", zipped):
        pytest.skip("a zip has none")
    change, message = ATTACKS[attack]
    change(bundle)
    path = pack(bundle)
    code, out, error = command(main, "verify", path, "--key", public)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {path}")
    assert (TOO_LARGE[pack] if attack == "a large one" else message) in error
    if attack != "a further model":  # which nothing loads that is not listed
        with pytest.raises(UserError):
            open_model(path, verify_key=public)


def test_a_comment_that_is_not_signed_may_change(command: Command, bundle: Path, public: Path) -> None:
    edited(SIGNATURE, b"minisign secret key", b"whomever")(bundle)
    assert command(main, "verify", bundle, "--key", public)[0] == 0


PAIR = minisign.KeyPair.generate()
CONTENT = b"0" * 64 + b"  model.onnx\n"
SEED_AT = 62
"""Of the bytes of a secret key."""
SIGNED = bytes(PAIR.secret_key.sign(CONTENT, trusted_comment="release 1")) + b"\n"
often = partial(settings, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@often(max_examples=300)
@given(mutated_bytes(SIGNED))
def test_mutated_signatures_are_refused(tmp_path: Path, changed: bytes) -> None:
    """Or say the same: its first line, and how its lines end, are not signed."""
    (tmp_path / "author.pub").write_bytes(bytes(PAIR.public_key))
    with accepted_or_refused():
        assert require_signed(CONTENT, changed, tmp_path / "author.pub", tmp_path) == "release 1"
        assert minisign.Signature.from_bytes(changed) == minisign.Signature.from_bytes(SIGNED)


@pytest.mark.slow
@often(max_examples=150)
@given(mutated_bytes(bytes(PAIR.public_key)))
def test_mutated_public_keys_are_refused(tmp_path: Path, changed: bytes) -> None:
    (tmp_path / "author.pub").write_bytes(changed)
    with accepted_or_refused():
        require_signed(CONTENT, SIGNED, tmp_path / "author.pub", tmp_path)
        assert minisign.PublicKey.from_bytes(changed) == PAIR.public_key


@pytest.mark.slow
@often(max_examples=150)
@given(mutated_bytes(bytes(PAIR.secret_key)))
def test_mutated_secret_keys_are_one_line(tmp_path: Path, changed: bytes) -> None:
    (tmp_path / "author.key").write_bytes(changed)
    with accepted_or_refused():
        sign(CONTENT, tmp_path / "author.key", "release 1", lambda: "password")


def test_a_damaged_secret_key_signs_nothing(tmp_path: Path) -> None:
    """Its first byte of the seed is another; the public key beside it stays."""
    comment, text = bytes(PAIR.secret_key).splitlines()[:2]
    key = bytearray(base64.b64decode(text))
    key[SEED_AT] ^= 1
    (tmp_path / "author.key").write_bytes(comment + b"\n" + base64.b64encode(key) + b"\n")
    with pytest.raises(UserError, match="cannot sign"):
        sign(CONTENT, tmp_path / "author.key", "release 1", lambda: "")


def test_a_run_that_changes_while_its_password_is_asked(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    secret, public = write_keys(tmp_path, password="open sesame")

    def change(_: Path) -> str:
        with pytest.raises(UserError, match="another command is writing it"):
            state_license(run, "CC-BY-4.0")
        return "open sesame"

    monkeypatch.setattr("ser_images.export.signing._password", change)
    sign_bundle(run, secret)
    assert "model:" in signed_comment(run, public)


def test_a_signed_zip_keeps_its_permissions_and_depends_on_no_clock(bundle: Path, keys: tuple[Path, Path]) -> None:
    path = zipped(bundle)
    path.chmod(0o600)
    sign_bundle(path, keys[0])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(SIGNATURE).date_time == (1980, 1, 1, 0, 0, 0)


def test_an_encrypted_key(command: Command, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, public = write_keys(tmp_path, password="open sesame")
    code, out, error = command(main, "sign", bundle, "--key", secret)
    assert (code, out, error) == (
        2, "", f"error: {secret}: needs its password; run this in a terminal, or set {PASSWORD}\n",
    )  # fmt: skip
    monkeypatch.setenv(PASSWORD, "close sesame")
    code, out, error = command(main, "sign", bundle, "--key", secret)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {secret}: cannot sign (wrong password for that key); ")
    assert not (bundle / SIGNATURE).exists()
    monkeypatch.setenv(PASSWORD, "open sesame")
    assert command(main, "sign", bundle, "--key", secret)[0] == 0
    assert command(main, "verify", bundle, "--key", public)[0] == 0


def test_the_password_is_asked_and_not_shown(bundle: Path, tmp_path: Path) -> None:
    secret, public = write_keys(tmp_path, password="open sesame")
    ours, theirs = pty.openpty()
    code = "from ser_images.export.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sign", str(bundle), "--key", str(secret)],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    shown = b""
    while b"Password of " not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, b"open sesame\n")
    assert process.wait(60) == 0
    shown += os.read(ours, 1000)
    assert b": signed" in shown
    assert b"sesame" not in shown
    assert BundleFiles.open(bundle, public).signed


@pytest.mark.parametrize("name", ["author.pub", "bundle", "missing.key"])
def test_what_is_no_secret_key(command: Command, bundle: Path, public: Path, name: str) -> None:
    key = public.with_name(name)
    code, out, error = command(main, "sign", bundle, "--key", key)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {key}: ")
    code, out, error = command(main, "verify", bundle, "--key", public.with_suffix(".key"))
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {public.with_suffix('.key')}: no public key of minisign ")


def test_a_run_with_a_model_that_is_not_listed_is_not_signed(bundle: Path, keys: tuple[Path, Path]) -> None:
    (bundle / "learner.pkl").touch()
    with pytest.raises(UserError, match=r"learner.pkl: a model that SHA256SUMS does not list; remove it"):
        sign_bundle(bundle, keys[0])
    assert not (bundle / SIGNATURE).exists()


def test_a_change_removes_the_signature(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    secret, public = write_keys(tmp_path)
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    warning = f"warning: {run / SIGNATURE}: removed, as it was made before this change; sign the bundle again\n"
    for change in (("license", run, "CC-BY-4.0"), (run, "--to", "torch")):
        sign_bundle(run, secret)
        code, _, error = command(main, *change)
        assert (code, error, (run / SIGNATURE).exists()) == (0, warning, False), change
    sign_bundle(run, secret)
    assert command(main, "license", run, "CC-BY-4.0") == (0, f"{run}: licensed CC-BY-4.0\n", "")
    assert BundleFiles.open(run, public).signed, "nothing changed"


def test_what_is_packed_has_the_signature_of_its_own_files_or_none(
    command: Command, tiny_run: Path, tmp_path: Path
) -> None:
    """A run folder has more files than what is packed of it, so its signature does not hold there."""
    secret, public = write_keys(tmp_path)
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    sign_bundle(run, secret)
    text = f"warning: {run / SIGNATURE}: left out, as it is the signature of other files; sign what was written\n"
    for target, write in (("zip", write_zip), ("hub-folder", write_hub_folder)):
        first, second = tmp_path / f"first.{target}", tmp_path / f"second.{target}"
        assert command(main, run, "--to", target, "--out", first) == (0, f"{first}\n", text)
        assert BundleFiles.open(first).signature() is None
        sign_bundle(first, secret)
        write(BundleFiles.open(first), second)
        assert BundleFiles.open(second, public).signed, target
        for format in ("onnx", "safetensors"):
            found = open_model(second, format, verify_key=public)[1]
            assert found(np.zeros((1, 32, 32), np.uint8)).shape == (1, 8)


def test_predictions_by_a_verified_model(
    command: Command, bundle: Path, public: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SER_IMAGES_VOICES", str(tmp_path / "voices"))
    predict_it = ("file", "--example", "--format", "csv", "--model", bundle)
    code, expected, _ = command(predict, *predict_it)
    assert code == 0
    assert command(predict, *predict_it, "--verify-key", public) == (0, expected, "")
    monkeypatch.setenv("SER_IMAGES_VERIFY_KEY", str(public))
    assert command(predict, *predict_it) == (0, expected, "")
    (bundle / SIGNATURE).unlink()
    message = f"error: {bundle}: not signed (it has no {SIGNATURE}), expected a signature by {public}\n"
    assert command(predict, *predict_it) == (2, "", message)
    for other in (("live",), ("serve", "--port", 0), ("enrol", "anna", bundle), ("timeline", example())):
        assert command(predict, *other, "--model", bundle) == (2, "", message), other
    monkeypatch.delenv("SER_IMAGES_VERIFY_KEY")
    assert command(predict, *predict_it) == (0, expected, "")
    with pytest.raises(UserError, match="not signed"):
        model_files(bundle, public)


def test_a_verified_model_is_read_from_the_bytes_that_were_verified(bundle: Path, public: Path) -> None:
    """Whoever replaces a file after the check, before it is opened, gains nothing."""
    files = BundleFiles.open(bundle, public)
    assert files.local("model.onnx") is None, "ONNX Runtime would open the path a second time"
    (bundle / "model.onnx").write_bytes(b"another")
    with pytest.raises(UserError, match=r"model.onnx: changed since SHA256SUMS was written"):
        files.read("model.onnx")


def test_what_has_no_signature_is_not_loaded_with_a_key(bundle: Path, public: Path) -> None:
    for path, format in ((bundle / "model.onnx", None), (bundle / "learner.pkl", None), (bundle, "pickle")):
        path.touch()
        with pytest.raises(UserError, match="a signature is checked of ONNX or safetensors in a bundle"):
            open_model(path, format, trust_pickle=True, verify_key=public)
    for nothing in ("", public.parent):
        with pytest.raises(UserError, match="expected a regular file"):
            Model.load(bundle, verify_key=nothing)


@needs_program
@pytest.mark.slow
def test_minisign_verifies_what_we_sign_and_the_other_way_round(
    command: Command, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key of its own, encrypted as it does by default."""
    secret, public = tmp_path / "minisign.key", tmp_path / "minisign.pub"
    minisign_program("-G", "-s", secret, "-p", public, text="open sesame\nopen sesame\n")
    monkeypatch.setenv(PASSWORD, "open sesame")
    assert command(main, "sign", bundle, "--key", secret)[0] == 0
    shown = minisign_program("-V", "-m", bundle / SUMS, "-p", public)
    assert "Signature and comment signature verified" in shown
    (bundle / SIGNATURE).unlink()
    sign_options = ("-S", "-m", bundle / SUMS, "-s", secret, "-t", "release 1")
    minisign_program(*sign_options, text="open sesame\n")
    assert command(main, "verify", bundle, "--key", public)[1].endswith("; signed: release 1\n")


@needs_program
def test_a_signed_comment_commands_no_terminal(command: Command, bundle: Path, public: Path) -> None:
    comment = "\x1b[31mred\x07"
    minisign_program("-S", "-W", "-m", bundle / SUMS, "-s", public.with_suffix(".key"), "-t", comment)
    assert command(main, "verify", bundle, "--key", public)[1].endswith("; signed: \\x1b[31mred\\x07\n")


@needs_program
def test_minisign_takes_our_keys_too(bundle: Path, public: Path) -> None:
    minisign_program("-V", "-m", bundle / SUMS, "-p", public)
    for options in ((), ("-l",)):  # -l: not hashed before, as its older versions did
        minisign_program("-S", "-W", "-m", bundle / SUMS, "-s", public.with_suffix(".key"), "-t", "new", *options)
        assert BundleFiles.open(bundle, public).signed == "new"


def minisign_program(*arguments: object, text: str = "") -> str:
    """What the program prints; it must succeed."""
    command = ["minisign", *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
