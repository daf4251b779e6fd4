#!/bin/sh
# Copies ONNX Runtime Web into vendor/, with the licence texts of ONNX Runtime's Python package: sh vendor.sh PYTHON
set -eu
find_package='from importlib.util import find_spec; print(*find_spec("onnxruntime").submodule_search_locations)'
package=$("$1" -c "$find_package")
cd "$(dirname "$0")"
mkdir -p vendor/onnxruntime-web
cp node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs \
    node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm \
    "$package/LICENSE" "$package/ThirdPartyNotices.txt" vendor/onnxruntime-web
