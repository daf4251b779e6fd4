/** Plays parts of a recording. */
export class Player {
  /**
   * @param {Blob} blob
   * @param {(atS: number | null) => void} report called with the position while it plays, and null at the end
   */
  constructor(blob, report) {
    this._url = URL.createObjectURL(blob);
    this._audio = new Audio(this._url);
    this._report = report;
    this._endS = Infinity;
    this._audio.addEventListener("ended", () => this.stop());
  }

  /**
   * @param {number} startS
   * @param {number} endS
   */
  async play(startS, endS) {
    this._audio.currentTime = startS;
    this._endS = endS;
    await this._audio.play().catch(() => this.stop()); // stopped before it began
    this._follow();
  }

  stop() {
    this._audio.pause();
    this._report(null);
  }

  /** Stops, and frees the recording. */
  close() {
    this.stop();
    URL.revokeObjectURL(this._url);
  }

  _follow() {
    if (this._audio.paused) return;
    if (this._audio.currentTime >= this._endS) return this.stop();
    this._report(this._audio.currentTime);
    requestAnimationFrame(() => this._follow());
  }
}
