"""One file format of a model per module: ONNX, int8 ONNX, safetensors, fastai pickle."""
