import { TEXTS } from "../texts.js";
import { button, element, fill } from "./dom.js";
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
    this._update = element("div", { role: "status" });
    document.title = TEXTS.title;
    const title = element("h1", {}, TEXTS.title);
    const header = element("header", {}, title, element("p", { class: "promise" }, TEXTS.promise), this._model);
    const main = element("main", {}, this._alert, this._update, recording, this._live, about);
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

  /** Offers to load the new version of the page. */
  showUpdate() {
    const reload = button(TEXTS.reload, () => location.reload());
    fill(this._update, element("p", { class: "row" }, TEXTS.updated, reload));
  }

  /** @param {string} message */
  showError(message) {
    this._model.textContent = "";
    fill(this._alert, element("p", { class: "error" }, message));
  }
}
