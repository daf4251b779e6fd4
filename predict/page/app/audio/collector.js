const BLOCK = 1024; // samples: 21 ms at 48 kHz

/** Averages the channels of the microphone and sends blocks of them to the port that it is given. */
class Collector extends AudioWorkletProcessor {
  constructor() {
    super();
    /** @type {MessagePort | null} */
    this._target = null;
    this._block = new Float32Array(BLOCK);
    this._filled = 0;
    this.port.onmessage = ({ data }) => (this._target = data);
  }

  /** @param {Float32Array[][]} inputs */
  process([channels]) {
    const size = channels[0]?.length ?? 0;
    for (let k = 0; k < size; k++) {
      let sum = 0;
      for (const channel of channels) sum += channel[k];
      this._block[this._filled++] = sum / channels.length;
      if (this._filled === BLOCK) this._send();
    }
    return true;
  }

  _send() {
    const block = this._block;
    this._target?.postMessage(block, [block.buffer]);
    this._block = new Float32Array(BLOCK);
    this._filled = 0;
  }
}

registerProcessor("collector", Collector);
