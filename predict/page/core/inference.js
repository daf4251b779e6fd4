/**
 * Inference behind an interface, so that the core runs wherever networks can: ONNX Runtime Web in a worker or in Node.
 *
 * @typedef {"network" | "vad"} NetworkName the model, or Silero VAD
 * @typedef {"uint8" | "uint16" | "float32" | "int64"} TensorType
 * @typedef {Uint8Array | Uint16Array | Float32Array | BigInt64Array} TensorData
 * @typedef {{type: TensorType, data: TensorData, dims: readonly number[]}} Tensor
 *
 * @typedef {Record<string, Tensor>} Feeds
 * @typedef {Record<string, Float32Array>} Outputs
 * @typedef {{run(name: NetworkName, feeds: Feeds, outputs: string[]): Promise<Outputs>}} Inference
 *
 * @typedef {typeof import("onnxruntime-web")} Ort
 */

/**
 * ONNX Runtime's sessions as `Inference`.
 *
 * @implements {Inference}
 */
export class OnnxInference {
  /**
   * @param {Ort} ort the module onnxruntime-web
   * @param {Record<NetworkName, import("onnxruntime-web").InferenceSession>} sessions
   */
  constructor(ort, sessions) {
    this._ort = ort;
    this._sessions = sessions;
  }

  /**
   * @param {NetworkName} name
   * @param {Feeds} feeds
   * @param {string[]} outputs those to compute
   */
  async run(name, feeds, outputs) {
    const { Tensor } = this._ort;
    const tensors = Object.entries(feeds).map(([key, { type, data, dims }]) => [key, new Tensor(type, data, dims)]);
    const results = await this._sessions[name].run(Object.fromEntries(tensors), outputs);
    return Object.fromEntries(outputs.map((key) => [key, /** @type {Float32Array} */ (results[key].data)]));
  }
}
