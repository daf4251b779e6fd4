import { UserError } from "../core/errors.js";
import { Cancelled } from "./cancelled.js";

/**
 * @typedef {object} CallOptions
 * @property {Transferable[]} [transfer]
 * @property {(event: any) => void} [onEvent] what the worker reports before the result
 * @property {AbortSignal} [signal] ends the call: an analysis is cancelled, a live stream finished
 *
 * @typedef {{resolve(result: any): void, reject(error: Error): void, onEvent?(event: any): void}} Pending
 */

/** Calls to the worker that computes, as promises. */
export class Analysis {
  /** @param {Worker} worker */
  constructor(worker) {
    this._worker = worker;
    this._lastId = 0;
    /** @type {Map<number, Pending>} */
    this._pending = new Map();
    worker.addEventListener("message", ({ data }) => this._receive(data));
    worker.addEventListener("error", (event) => this._fail(new Error(event.message || "the worker did not start")));
  }

  /**
   * The result of an action of the worker.
   *
   * @param {string} action
   * @param {object} payload
   * @param {CallOptions} options
   * @returns {Promise<any>}
   * @throws {UserError | Cancelled}
   */
  call(action, payload = {}, { transfer = [], onEvent, signal } = {}) {
    const id = ++this._lastId;
    this._worker.postMessage({ id, action, payload }, transfer);
    signal?.addEventListener("abort", () => this._worker.postMessage({ id, action: "stop" }));
    return new Promise((resolve, reject) => this._pending.set(id, { resolve, reject, onEvent }));
  }

  /** @param {any} message */
  _receive({ id, event, result, error }) {
    const pending = this._pending.get(id);
    if (!pending) return;
    if (event) return pending.onEvent?.(event);
    this._pending.delete(id);
    if (error) pending.reject(toError(error));
    else pending.resolve(result);
  }

  /** @param {Error} error */
  _fail(error) {
    for (const pending of this._pending.values()) pending.reject(error);
    this._pending.clear();
  }
}

/** @param {{kind: string, message: string}} error */
function toError({ kind, message }) {
  if (kind === "cancelled") return new Cancelled(message);
  return kind === "user" ? new UserError(message) : new Error(message);
}
