/** The worker that computes: it answers each call with events and one result or error. */

import { UserError } from "../../core/errors.js";
import { Cancelled } from "../cancelled.js";
import { analyse } from "./analyse.js";
import { live } from "./live.js";
import { loadModel } from "./loading.js";

/**
 * @typedef {import("../../core/constants.js").Constants} Constants
 * @typedef {import("../../core/inference.js").Inference} Inference
 * @typedef {{constants: Constants, inference: Inference}} Loaded
 *
 * @typedef {object} Call
 * @property {(event: object, transfer?: Transferable[]) => void} report
 * @property {AbortSignal} signal
 */

/** @type {Promise<Loaded>} */
let loaded;
/** @type {Map<number, AbortController>} */
const running = new Map();

/** @type {Record<string, (payload: any, call: Call) => Promise<unknown>>} */
const ACTIONS = {
  load: async (_, call) => (await (loaded = loadModel(call.report))).constants,
  analyse: async (payload, call) => analyse(await loaded, payload, call),
  live: async (payload, call) => live(await loaded, payload, call),
};

self.onmessage = async ({ data: { id, action, payload } }) => {
  if (action === "stop") return running.get(id)?.abort();
  const controller = new AbortController();
  running.set(id, controller);
  const report = (/** @type {object} */ event, /** @type {Transferable[]} */ transfer = []) =>
    self.postMessage({ id, event }, { transfer });
  try {
    self.postMessage({ id, result: await ACTIONS[action](payload, { report, signal: controller.signal }) });
  } catch (error) {
    self.postMessage({ id, error: toMessage(error) });
  } finally {
    running.delete(id);
  }
};

/** @param {unknown} error */
function toMessage(error) {
  const kind = error instanceof UserError ? "user" : error instanceof Cancelled ? "cancelled" : "bug";
  return { kind, message: error instanceof Error ? error.message : String(error) };
}
