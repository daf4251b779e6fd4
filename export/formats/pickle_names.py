"""The names that a pickle would import, read from its opcodes before anything in it runs.

require_known_names(Path("runs/first/learner.pkl"))

An allow list limits what a pickle can do; it does not make pickles safe. Known names can still be misused in ways that
nobody has thought of.
"""

import io
import pickle
import pickletools
import re
import types
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ser_images.data.common.bounded_file import open_regular
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.file_limits import MAX_FILE_BYTES

MAX_PICKLE_BYTES = 1 << 22
"""Of the objects of a learner without its weights; that of a large network of torchvision has some hundred KB."""
_KNOWN_BY_MODULE = {
    "PIL.Image": "Image",
    "__builtin__": "bytes float getattr int long object print reduce set str tuple unicode",
    "_codecs": "encode",
    "_operator": "or_",
    "collections": "OrderedDict",
    "fastai.callback.core": "TrainEvalCallback",
    "fastai.callback.progress": "ProgressCallback",
    "fastai.data.core": "DataLoaders Datasets TfmdDL TfmdLists",
    "fastai.data.load": "_FakeLoader _wif",
    "fastai.data.transforms": "Categorize CategoryMap IntToFloatTensor ItemGetter Normalize ToTensor",
    "fastai.layers": "AdaptiveConcatPool2d ConvLayer Flatten ResBlock",
    "fastai.learner": "AvgLoss AvgSmoothLoss CastToTensor Learner Recorder",
    "fastai.losses": "CrossEntropyLossFlat",
    "fastai.optimizer": "Adam",
    "fastai.torch_core": "TensorCategory TensorImageBW trainable_params",
    "fastai.vision.core": "PILImageBW",
    "fastcore.foundation": "L",
    "fasttransform.transform": "Pipeline Transform",
    "inspect": "Parameter Signature _ParameterKind _empty",
    "numpy": "ndarray",
    "pathlib": "Path PosixPath WindowsPath",
    "plum._function": "Function",
    "plum._method": "Method MethodList",
    "plum._resolver": "Resolver",
    "plum._signature": "Signature",
    "plum._util": "Missing",
    "random": "Random",
    "torch": "FloatStorage LongStorage Tensor device",
    "torch._utils": "_rebuild_parameter _rebuild_tensor_v2",
    "torchvision.models.convnext": "CNBlock LayerNorm2d",
    "torchvision.models.densenet": "_DenseBlock _DenseLayer _Transition",
    "torchvision.models.efficientnet": "FusedMBConv MBConv",
    "torchvision.models.mobilenetv3": "InvertedResidual",
    "torchvision.models.regnet": "AnyStage BottleneckTransform ResBottleneckBlock SimpleStemIN",
    "torchvision.models.resnet": "BasicBlock Bottleneck",
    "torchvision.models.squeezenet": "Fire",
    "torchvision.models.swin_transformer": "PatchMerging PatchMergingV2 ShiftedWindowAttention "
    "ShiftedWindowAttentionV2 SwinTransformerBlock SwinTransformerBlockV2",
    "torchvision.ops.misc": "Conv2dNormActivation MLP Permute SqueezeExcitation",
    "torchvision.ops.stochastic_depth": "StochasticDepth",
    "typing": "Any",
}


class ImportedName(NamedTuple):
    """A module and a name in it, as a pickle writes them."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


KNOWN_NAMES = frozenset(
    ImportedName(module, name) for module, names in _KNOWN_BY_MODULE.items() for name in names.split()
)
"""What learners of `ser-train` import, as pickle's protocol 2 writes it; layers of `torch.nn.modules` besides."""
_LAYER_MODULE = re.compile(r"torch\.nn\.modules\.[A-Za-z_]\w*", re.ASCII)
_CLASS = re.compile(r"[A-Z]\w*", re.ASCII)
_COMPUTED = ImportedName("?", "?")
_DEFINED_IN = {"__builtin__": {"builtins", "_functools"}, "pathlib": {"pathlib", "pathlib._local"}}
"""Modules whose names Python defines elsewhere: pickle renames Python 2's `__builtin__`, Python 3.13 moved `Path`."""
_RENAMED = {"long": "int", "unicode": "str"}
_ATTRIBUTES = frozenset({"create", "dataloaders"})  # the only ones that such learners get by getattr
_PUSH_NOTHING = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "PROTO", "FRAME"})


def require_known_names(path: Path) -> None:
    """Walk the opcodes of an exported learner without running them.

    Raises:
        UserError: it imports a name that no learner of `ser-train` does, or is no archive of `torch.save`.
    """
    with open_regular(path, MAX_FILE_BYTES) as file:
        content = file.read(MAX_PICKLE_BYTES)
    inner = _pickle_in_archive(path) if content.startswith(b"PK\x03\x04") else None
    names = sorted(set(imported_names(content if inner is None else inner)))
    if unknown := [str(name) for name in names if not is_known(name)]:
        raise UserError(f"{path}: would import {', '.join(unknown)}, as no learner of ser-train does; not loaded")
    if inner is None:
        raise UserError(f"{path}: no learner that fastai exported (not an archive of torch.save); not loaded")
    _require_bounded_memo(inner, path)


def _require_bounded_memo(content: bytes, path: Path) -> None:
    """Raise UserError where a pickle is damaged, or numbers an object so that the memo grows beyond all its objects."""
    try:
        for opcode, argument in _operations(content):
            if opcode.endswith("PUT") and int(str(argument)) > len(content):
                raise ValueError(f"an object with number {argument}")
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); copy the run again") from error


def is_known(imported: ImportedName) -> bool:
    """Whether learners of `ser-train` import this name; never a dotted one, which reaches through other modules."""
    may_be_layer = _LAYER_MODULE.fullmatch(imported.module) and _CLASS.fullmatch(imported.name)
    return imported in KNOWN_NAMES or bool(may_be_layer)


def imported_names(content: bytes) -> Iterator[ImportedName]:
    """The names that pickles, one after another, would import; `?.?` for one that is computed as it runs."""
    tail: deque[object] = deque(maxlen=2)  # of the stack: STACK_GLOBAL reads two
    memo: dict[object, object] = {}
    try:
        for opcode, argument in _operations(content):
            if opcode in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                yield ImportedName(module, name)
            elif opcode == "STACK_GLOBAL":
                yield _imported(*[None, None, *tail][-2:])
            elif opcode.startswith("EXT"):  # a number that copyreg turns into a name
                yield _COMPUTED
            if opcode == "MEMOIZE":
                memo[len(memo)] = tail[-1] if tail else None
            elif opcode.endswith("PUT"):
                memo[int(str(argument))] = tail[-1] if tail else None
            elif opcode.endswith("GET"):
                tail.append(memo.get(int(str(argument))))
            elif opcode not in _PUSH_NOTHING:
                tail.append(argument if "UNICODE" in opcode or "STRING" in opcode else None)
    except ValueError:  # the end of what reads as a pickle
        return


def _imported(module: object, name: object) -> ImportedName:
    return ImportedName(module, name) if isinstance(module, str) and isinstance(name, str) else _COMPUTED


def _operations(content: bytes) -> Iterator[tuple[str, object]]:
    file = io.BytesIO(content)
    while file.tell() < len(content):
        for opcode, argument, _ in pickletools.genops(file):
            yield opcode.name, argument


def _pickle_in_archive(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickles = [name for name in names if name.endswith(".pkl")]
            if len(pickles) != 1 or not pickles[0].endswith("data.pkl") or len(set(names)) < len(names):
                raise UserError(f"{path}: {len(pickles)} pickles in it, expected data.pkl alone; not loaded")
            with archive.open(pickles[0]) as member:
                content = member.read(MAX_PICKLE_BYTES + 1)
            if len(content) > MAX_PICKLE_BYTES:
                raise UserError(f"{path}: its data.pkl is larger than {MAX_PICKLE_BYTES} bytes; not loaded")
            return content
    # NotImplementedError: a compression that zipfile doesn't know
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); copy the run again") from error


class _KnownNamesUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        imported = ImportedName(module, name)
        if not is_known(imported):
            raise pickle.UnpicklingError(f"it imports {imported}, as no learner of ser-train does")
        found = super().find_class(module, name)
        if not _is_defined_in_module(found, imported):
            raise pickle.UnpicklingError(f"it imports {imported}, which is defined elsewhere")
        return _allowed_attribute if found is getattr else found


def _is_defined_in_module(found: Any, imported: ImportedName) -> bool:
    """Whether `found` is the very thing that the name means: nothing that its module imported from another."""
    modules = _DEFINED_IN.get(imported.module, {imported.module})
    name = _RENAMED.get(imported.name, imported.name)
    if getattr(found, "__module__", None) not in modules or getattr(found, "__qualname__", None) != name:
        return False
    return imported in KNOWN_NAMES or _is_layer(found)


def _is_layer(found: Any) -> bool:
    from torch.nn import Module

    return isinstance(found, type) and issubclass(found, Module)


def _allowed_attribute(owner: object, name: str) -> Any:
    if name not in _ATTRIBUTES:
        raise pickle.UnpicklingError(f"it gets {name!r} of {owner!r}, as no learner of ser-train does")
    return getattr(owner, name)


def restricted_pickle() -> types.ModuleType:
    """The pickle module, for torch.load to use, except that it imports known names only."""
    module = types.ModuleType("restricted_pickle")
    module.__dict__.update(vars(pickle) | {"Unpickler": _KnownNamesUnpickler, "load": _load})
    return module


def _load(file: Any, **options: Any) -> Any:
    return _KnownNamesUnpickler(file, **options).load()
