/** The trained network: images to probabilities, without speaker adaptation. */
export class Network {
  /**
   * @param {import("./inference.js").Inference} inference
   * @param {import("./constants.js").Constants} constants
   */
  constructor(inference, { model, spec }) {
    this._inference = inference;
    this._model = model;
    this._spec = spec;
  }

  /**
   * The probability of each label for one image.
   *
   * @param {import("./render.js").Grey} image
   */
  async probabilities(image) {
    const { input, output } = this._model;
    const { n_rows: rows, n_frames: frames } = this._spec;
    const type = image instanceof Uint8Array ? "uint8" : "uint16";
    const feeds = { [input]: /** @type {const} */ ({ type, data: image, dims: [1, rows, frames] }) };
    return (await this._inference.run("network", feeds, [output]))[output];
  }
}
