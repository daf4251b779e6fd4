import { SEGMENT_FORMATS } from "../../core/segment_formats.js";
import { TEXTS } from "../texts.js";
import { button, download, element } from "./dom.js";

const SUFFIXES = /** @type {Record<string, string>} */ ({
  csv: ".csv",
  json: ".json",
  audacity: ".txt",
  textgrid: ".TextGrid",
});

/**
 * Buttons that save segments as files.
 *
 * @param {import("../../core/timeline.js").Timeline} found
 * @param {string} file name of the recording
 * @param {import("../../core/constants.js").Constants} constants
 */
export function downloads(found, file, constants) {
  const stem = file.replace(/\.[^.]*$/, "");
  const buttons = Object.entries(SEGMENT_FORMATS).map(([kind, text]) =>
    button(TEXTS.formats[kind], () => download(new Blob([text(found, file, constants)]), stem + SUFFIXES[kind])),
  );
  return element("div", { class: "row downloads", role: "group", "aria-label": TEXTS.downloads }, ...buttons);
}
