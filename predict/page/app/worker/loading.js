import { UserError } from "../../core/errors.js";
import { OnnxInference } from "../../core/inference.js";
import { TEXTS } from "../texts.js";

/** @typedef {(event: object) => void} Report */

const RUNTIME = "vendor/onnxruntime-web/ort.wasm.bundle.min.mjs";
const WASM = "vendor/onnxruntime-web/ort-wasm-simd-threaded.wasm";
const WASM_START = [0x00, 0x61, 0x73, 0x6d];
const PROTOBUF_START = [0x08]; // field 1 of ONNX's ModelProto, its version
const JSON_START = [0x7b];
/** @type {import("onnxruntime-web").InferenceSession.SessionOptions} */
const OPTIONS = { executionProviders: ["wasm"], logSeverityLevel: 3 }; // errors only

/**
 * The model of the site, and ONNX Runtime's sessions of its networks.
 *
 * @param {Report} report
 * @returns {Promise<import("./main.js").Loaded>}
 * @throws {UserError} a file is missing, or another one than expected
 */
export async function loadModel(report) {
  const progress = new Progress(report);
  const [ort, wasm, text, network, vad] = await Promise.all([
    importRuntime(),
    fetchBytes(WASM, WASM_START, progress),
    fetchBytes("model/model.json", JSON_START, progress),
    fetchBytes("model/network.onnx", PROTOBUF_START, progress),
    fetchBytes("model/vad.onnx", PROTOBUF_START, progress),
  ]);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasm;
  const sessions = {
    network: await ort.InferenceSession.create(network, OPTIONS),
    vad: await ort.InferenceSession.create(vad, OPTIONS),
  };
  return { constants: JSON.parse(new TextDecoder().decode(text)), inference: new OnnxInference(ort, sessions) };
}

/** @param {string} path relative to the site */
const address = (path) => new URL(`../../${path}`, import.meta.url).href;

/** @returns {Promise<import("../../core/inference.js").Ort>} */
async function importRuntime() {
  try {
    return await import(address(RUNTIME));
  } catch {
    throw new UserError(TEXTS.noRuntime(RUNTIME));
  }
}

/**
 * @param {string} path
 * @param {number[]} start the bytes that it begins with: hosts send error pages with status 200, too
 * @param {Progress} progress
 */
async function fetchBytes(path, start, progress) {
  const response = await fetch(address(path)).catch((error) => {
    throw new UserError(TEXTS.notFetched(path, error.message));
  });
  if (!response.ok || !response.body) throw new UserError(TEXTS.notFetched(path, `status ${response.status}`));
  const bytes = new Uint8Array(await new Response(response.body.pipeThrough(progress.counter())).arrayBuffer());
  if (start.some((value, at) => bytes[at] !== value)) throw new UserError(TEXTS.notOfItsKind(path));
  return bytes;
}

/** How many bytes arrived. */
class Progress {
  /** @param {Report} report */
  constructor(report) {
    this._report = report;
    this._bytes = 0;
  }

  counter() {
    /** @type {Transformer<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>} */
    const counter = {
      transform: (chunk, controller) => {
        this._bytes += chunk.length;
        this._report({ megabytes: this._bytes / 1e6 });
        controller.enqueue(chunk);
      },
    };
    return new TransformStream(counter);
  }
}
