import { SPECTROGRAM_COLOURS } from "./colours.js";
import { element } from "./dom.js";

const WIDTH = 800; // columns: 8 s at a hop of 10 ms

/**
 * A spectrogram that scrolls while sound arrives; where motion is to be reduced, it stands still and is overwritten from
 * the left on.
 */
export class ScrollingSpectrogram {
  /**
   * @param {number} rows
   * @param {string} text for screen readers
   */
  constructor(rows, text) {
    this._rows = rows;
    this._at = 0;
    this._still = matchMedia("(prefers-reduced-motion: reduce)");
    this.element = element("canvas", { width: WIDTH, height: rows, role: "img", "aria-label": text, class: "rolling" });
    this._context = /** @type {CanvasRenderingContext2D} */ (this.element.getContext("2d", { willReadFrequently: true }));
    this.clear();
  }

  clear() {
    this._at = 0;
    this._context.fillStyle = `rgb(${SPECTROGRAM_COLOURS.slice(0, 3).join(" ")})`;
    this._context.fillRect(0, 0, WIDTH, this._rows);
  }

  /** @param {Uint8Array} columns each from the lowest band on */
  add(columns) {
    const width = columns.length / this._rows;
    if (width) this._context.putImageData(this._pixels(columns, width), this._place(width), 0);
  }

  /**
   * Where the next columns go.
   *
   * @param {number} width
   */
  _place(width) {
    if (this._still.matches) {
      const at = this._at + width > WIDTH ? 0 : this._at;
      this._at = at + width;
      return at;
    }
    this._context.drawImage(this.element, -width, 0);
    return WIDTH - width;
  }

  /**
   * @param {Uint8Array} columns
   * @param {number} width
   */
  _pixels(columns, width) {
    const pixels = new ImageData(width, this._rows);
    columns.forEach((grey, at) => {
      const [column, row] = [Math.floor(at / this._rows), this._rows - 1 - (at % this._rows)];
      pixels.data.set(SPECTROGRAM_COLOURS.subarray(4 * grey, 4 * grey + 4), 4 * (row * width + column));
    });
    return pixels;
  }
}
