"""ONNX graphs that take for ever or all memory: an image in, probabilities out, the bundle in their metadata."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.export.formats.onnx import BUNDLE_KEY
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec(n_mels=32, hop_length=1500)
BUNDLE = Bundle("0" * 12, "cnn4", ("happy", "sad"), SPEC, Normalisation(0.3, 0.2))
OPSET = [helper.make_opsetid("", 18)]
LARGE = 1_500_000_000
"""Elements of a tensor of 6 GB."""
node = helper.make_node


def ints(name: str, *values: int) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def floats(name: str, *dims: int) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, dims, np.ones(dims, np.float32).tobytes(), raw=True)


def scalar(name: str, value: float, kind: int = TensorProto.FLOAT) -> TensorProto:
    return helper.make_tensor(name, kind, [], [value])


def graph_of(
    nodes: Sequence[Any], constants: Sequence[TensorProto] = (), functions: Sequence[Any] = (), big: bool = True
) -> ModelProto:
    """A model whose probabilities depend on `big`, a tensor of these nodes, where there is one."""
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", SPEC.n_rows, SPEC.n_frames])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])
    highest = [node("ReduceMax", ["big"], ["highest"], keepdims=0), node("Mul", ["highest", "nothing"], ["zero"])]
    ends = [
        node("Cast", ["images"], ["grey"], to=TensorProto.FLOAT),
        node("ReduceMean", ["grey", "axes"], ["mean"], keepdims=0),
        node("Unsqueeze", ["mean", "last"], ["column"]),
        node("Mul", ["column", "nothing"], ["logit"]),
        *(highest if big else []),
        *([node("Add", ["logit", "zero"], ["logits"])] if big else [node("Identity", ["logit"], ["logits"])]),
        node("Concat", ["logits", "logit"], ["both"], axis=1),
        node("Softmax", ["both"], ["probabilities"], axis=1),
    ]
    own = [ints("axes", 1, 2), ints("last", 1), scalar("nothing", 0)]
    graph = helper.make_graph([*nodes, *ends], "graph", [images], [probabilities], [*own, *constants])
    imports = [*OPSET, helper.make_opsetid("own", 1)] if functions else OPSET
    model = helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=9)
    helper.set_model_props(model, {BUNDLE_KEY: BUNDLE.to_json()})
    return model


def loop(rounds: int | None) -> ModelProto:
    """A loop of so many rounds, or without end."""
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, [1])
    others = [helper.make_tensor_value_info(name, kind, []) for name, kind in (("i", 7), ("go", 9))]
    results = [helper.make_tensor_value_info("go_on", 9, []), helper.make_tensor_value_info("next", 1, [1])]
    steps = [node("Identity", ["go"], ["go_on"]), node("Add", ["value", "one"], ["next"])]
    inner = helper.make_graph(steps, "inner", [*others, value], results)
    nodes = [node("Loop", ["rounds" if rounds else "", "yes", "one"], ["big"], body=inner)]
    return graph_of(nodes, [floats("one", 1), scalar("yes", 1, 9), scalar("rounds", rounds or 0, 7)])


def branch() -> ModelProto:
    large = [node("Expand", ["one", "shape"], ["out"])]
    inner = [
        helper.make_graph(large, name, [], [helper.make_tensor_value_info("out", 1, None)]) for name in ("then", "else")
    ]
    nodes = [node("If", ["yes"], ["big"], then_branch=inner[0], else_branch=inner[1])]
    return graph_of(nodes, [floats("one", 1), scalar("yes", 1, 9), ints("shape", LARGE)])


def scan() -> ModelProto:
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, [1])
    steps = [node("Identity", ["value"], ["out"])]
    inner = helper.make_graph(steps, "inner", [value], [helper.make_tensor_value_info("out", 1, [1])])
    nodes = [
        node("Expand", ["one", "shape"], ["many"]),
        node("Scan", ["many"], ["big"], num_scan_inputs=1, body=inner),
    ]
    return graph_of(nodes, [floats("one", 1), ints("shape", 300_000_000, 1)])


def functions(levels: int) -> ModelProto:
    """Functions that call the one below twice: 2 to this power of nodes."""

    def function(level: int) -> Any:
        inner = [node(f"f{level - 1}", ["x"], ["a"], domain="own"), node(f"f{level - 1}", ["a"], ["y"], domain="own")]
        nodes = inner if level else [node("Identity", ["x"], ["y"])]
        imports = [*OPSET, helper.make_opsetid("own", 1)]
        return helper.make_function("own", f"f{level}", ["x"], ["y"], nodes, imports)

    calls = [node(f"f{levels}", ["one"], ["big"], domain="own")]
    return graph_of(calls, [floats("one", 1)], [function(level) for level in range(levels + 1)])


def sparse(constant: bool) -> ModelProto:
    dims = [60_000, 60_000]
    tensor = helper.make_sparse_tensor(helper.make_tensor("big", 1, [1], [1.0]), ints("at", 5), dims)
    model = graph_of([node("Constant", [], ["big"], sparse_value=tensor)] if constant else [])
    if not constant:
        model.graph.sparse_initializer.append(tensor)
    return model


def many_fields() -> bytes:
    """Five million fields that ONNX does not know, in ten megabytes."""
    return graph_of([], big=False).SerializeToString() + b"\xf8\x01" * 5_000_000


def many_products(count: int, size: int) -> ModelProto:
    """Products of square matrices, one after another."""
    nodes = [node("Expand", ["one", "shape"], ["m0"])]
    nodes += [node("MatMul", [f"m{n}", "m0"], [f"m{n + 1}" if n + 1 < count else "big"]) for n in range(count)]
    return graph_of(nodes, [floats("one", 1), ints("shape", size, size)])


def folded(count: int) -> ModelProto:
    """Constants that are computed while the graph is loaded, of 256 MB each."""
    nodes = [node("Mul", ["tall", "wide"], [f"m{n}"]) for n in range(count)]
    nodes += [node("Sum", [f"m{n}" for n in range(count)], ["big"])]
    return graph_of(nodes, [floats("tall", 8000, 1), floats("wide", 1, 8000)])


def lying(dims: Sequence[int]) -> ModelProto:
    """A constant of four bytes that says it is larger."""
    tensor = floats("big", 1)
    tensor.dims[:] = dims
    return graph_of([], [tensor])


def one_node(kind: str, inputs: Sequence[str], *constants: TensorProto, **attributes: Any) -> Callable[[], ModelProto]:
    return lambda: graph_of([node(kind, inputs, ["big"], **attributes)], constants)


def identities(count: int) -> ModelProto:
    names = ["one", *(f"i{n}" for n in range(1, count)), "big"]
    nodes = [node("Identity", [before], [after]) for before, after in pairwise(names)]
    return graph_of(nodes, [floats("one", 1)])


def nested(depth: int) -> ModelProto:
    """Graphs in attributes of an operator that has none."""
    graph = helper.make_graph([], "inner", [], [])
    for _ in range(depth):
        graph = helper.make_graph([node("Identity", [], [], inner=graph)], "outer", [], [])
    return graph_of([node("Identity", ["one"], ["big"], inner=graph)], [floats("one", 1)])


GRAPHS: dict[str, Callable[[], ModelProto | bytes]] = {
    "a loop without end": lambda: loop(None),
    "a loop of 2**62 rounds": lambda: loop(2**62),
    "a branch": branch,
    "a scan of 300 million steps": scan,
    "functions that call two each": lambda: functions(30),
    "a few functions": lambda: functions(2),
    "a sparse initializer": lambda: sparse(constant=False),
    "a sparse constant": lambda: sparse(constant=True),
    "graphs in graphs": lambda: nested(20),
    "five million unknown fields": many_fields,
    "20,000 nodes": lambda: identities(20_000),
    "400 products of matrices": lambda: many_products(400, 2000),
    "40 large constants": lambda: folded(40),
    "a constant of 2**40 elements without them": lambda: lying([2**40]),
    "a constant of 2**63 - 1 elements without them": lambda: lying([2**63 - 1]),
    "a constant of -1 elements": lambda: lying([-1]),
    "a constant whose size overflows": lambda: lying([2**33, 2**33, 2**33]),
    "ConstantOfShape": one_node("ConstantOfShape", ["shape"], ints("shape", LARGE)),
    "Expand": one_node("Expand", ["one", "shape"], floats("one", 1), ints("shape", LARGE)),
    "Tile": one_node("Tile", ["one", "shape"], floats("one", 1), ints("shape", LARGE)),
    "Range": one_node("Range", ["a", "b", "c"], *(scalar(*one) for one in (("a", 0), ("b", LARGE), ("c", 1)))),
    "MatMul": one_node("MatMul", ["a", "b"], floats("a", 40_000, 1), floats("b", 1, 40_000)),
    "Add": one_node("Add", ["a", "b"], floats("a", 40_000, 1), floats("b", 1, 40_000)),
    "Einsum": one_node("Einsum", ["a", "b"], floats("a", 40_000), floats("b", 40_000), equation="i,j->ij"),
    "RandomNormal": one_node("RandomNormal", [], shape=[LARGE]),
    "OneHot": one_node(
        "OneHot", ["i", "depth", "values"], ints("i", 1), ints("depth", LARGE), floats("values", 2)
    ),
    "Pad": one_node("Pad", ["one", "pads"], floats("one", 1), ints("pads", 0, LARGE)),
    "Resize": one_node(
        "Resize", ["one", "", "", "sizes"], floats("one", 1, 1, 1, 1), ints("sizes", 1, 1, 40_000, 40_000)
    ),
    "ConvTranspose": one_node(
        "ConvTranspose", ["x", "w"], floats("x", 1, 1, 4000), floats("w", 1, 1, 1), strides=[400_000]
    ),
    "DFT": one_node("DFT", ["x", "length"], floats("x", 1, 4, 1), scalar("length", LARGE, 7)),
    "Gather": one_node("Gather", ["one", "at"], floats("one", 1, 200_000), ints("at", *[0] * 20_000)),
}  # fmt: skip


def content_of(name: str) -> bytes:
    made = GRAPHS[name]()
    return made if isinstance(made, bytes) else made.SerializeToString()
