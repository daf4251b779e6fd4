import { TEXTS } from "../texts.js";
import { element, fill } from "./dom.js";
import { tabs } from "./tabs.js";

/** The frame of the page: its title, tabs, and whether the model is ready. */
export class PageView {
  /**
   * @param {HTMLElement} recording
   * @param {HTMLElement} about
   */
  constructor(recording, about) {
    this._live = element("section");
    this._model = element("p", { class: "model", "data-ready": "false" });
    this._alert = element("div", { role: "alert" });
    document.title = TEXTS.title;
    const title = element("h1", {}, TEXTS.title);
    const header = element("header", {}, title, element("p", { class: "promise" }, TEXTS.promise), this._model);
    const main = element("main", {}, this._alert, recording, this._live, about);
    header.append(tabs({ recording, live: this._live, about }));
    document.body.replaceChildren(header, main);
  }

  /** @param {number} megabytes that arrived */
  showLoading(megabytes) {
    this._model.textContent = TEXTS.loading(megabytes);
  }

  /**
   * @param {import("../../core/constants.js").Constants} constants
   * @param {HTMLElement} live the view of the live microphone
   */
  showReady({ model }, live) {
    this._model.textContent = TEXTS.ready(model.id, model.labels.length);
    this._model.dataset.ready = "true";
    fill(this._live, live);
  }

  /** @param {string} message */
  showError(message) {
    this._model.textContent = "";
    fill(this._alert, element("p", { class: "error" }, message));
  }
}
