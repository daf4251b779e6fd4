import { UserError } from "../../core/errors.js";
import { MAX_START_S } from "../limits.js";
import { TEXTS } from "../texts.js";

const PROCESSING = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/** The names of getUserMedia's errors: https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia */
/** @type {Record<string, string>} */
const REASONS = {
  NotAllowedError: TEXTS.denied,
  SecurityError: TEXTS.denied,
  NotFoundError: TEXTS.absent,
  OverconstrainedError: TEXTS.absent,
  NotReadableError: TEXTS.busy,
  AbortError: TEXTS.busy,
};

/** An open microphone at the device's own rate. */
export class Microphone {
  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {AudioWorkletNode} node
   */
  constructor(stream, context, node) {
    this._stream = stream;
    this._context = context;
    this._node = node;
  }

  /**
   * Opens the microphone; call it within the handler of a click, so that browsers let sound run.
   *
   * @throws {UserError} refused, absent, in use, not a secure page, or no sound at all
   */
  static async open() {
    if (!navigator.mediaDevices?.getUserMedia) throw new UserError(TEXTS.insecure);
    const context = new AudioContext();
    try {
      await resume(context);
      const stream = await navigator.mediaDevices.getUserMedia({ audio: PROCESSING });
      return await connect(stream, context);
    } catch (error) {
      if (context.state !== "closed") await context.close();
      const reason = error instanceof DOMException ? REASONS[error.name] : undefined;
      throw reason ? new UserError(reason) : error;
    }
  }

  get rateHz() {
    return this._context.sampleRate;
  }

  /** The device, and what the browser does to its sound, as it says itself. */
  get description() {
    const [track] = this._stream.getAudioTracks();
    return [TEXTS.device(track.label, this.rateHz), describeProcessing(track.getSettings())].join(". ");
  }

  /**
   * Sends blocks of mono samples to a port.
   *
   * @param {MessagePort} port
   */
  sendTo(port) {
    this._node.port.postMessage(port, [port]);
  }

  /**
   * @param {() => void} listener called where the device is disconnected
   */
  onUnplugged(listener) {
    this._stream.getAudioTracks()[0].addEventListener("ended", listener);
  }

  async close() {
    this._node.disconnect();
    for (const track of this._stream.getTracks()) track.stop();
    if (this._context.state !== "closed") await this._context.close();
  }
}

/**
 * Lets the context run. Without an output device, Firefox's never does, and says nothing.
 *
 * @param {AudioContext} context
 * @throws {UserError} it does not run within MAX_START_S
 */
async function resume(context) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new UserError(TEXTS.noSound)), 1000 * MAX_START_S));
  await Promise.race([context.resume(), late]);
}

/**
 * @param {MediaStream} stream
 * @param {AudioContext} context
 */
async function connect(stream, context) {
  try {
    const [source, running] = await newSource(stream, context);
    await running.audioWorklet.addModule(new URL("./collector.js", import.meta.url));
    const node = new AudioWorkletNode(running, "collector");
    source.connect(node).connect(running.destination); // its output is silence; unconnected, it might not run
    return new Microphone(stream, running, node);
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    throw error;
  }
}

/**
 * The stream as a node. Firefox refuses a context at another rate than the device's; it then gets one at that rate.
 *
 * @param {MediaStream} stream
 * @param {AudioContext} context
 * @returns {Promise<[MediaStreamAudioSourceNode, AudioContext]>}
 */
async function newSource(stream, context) {
  try {
    return [context.createMediaStreamSource(stream), context];
  } catch {
    await context.close();
    const other = new AudioContext({ sampleRate: stream.getAudioTracks()[0].getSettings().sampleRate });
    await resume(other);
    return [other.createMediaStreamSource(stream), other];
  }
}

/** @param {MediaTrackSettings} settings */
function describeProcessing(settings) {
  const names = /** @type {(keyof typeof PROCESSING)[]} */ (Object.keys(PROCESSING));
  const listed = (/** @type {(name: keyof typeof PROCESSING) => boolean} */ condition) =>
    names
      .filter(condition)
      .map((name) => TEXTS.processing[name])
      .join(", ");
  const on = listed((name) => settings[name] === true);
  const unknown = listed((name) => settings[name] === undefined);
  if (on) return TEXTS.processingOn(on);
  return unknown ? TEXTS.processingUnknown(unknown) : TEXTS.processingOff;
}
