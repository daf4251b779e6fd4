/**
 * Segments as files that other programs read, byte for byte as `ser-predict timeline --format …` writes them where
 * speakers are not distinguished.
 *
 * @typedef {import("./constants.js").Constants} Constants
 * @typedef {import("./segments.js").Segment} Segment
 * @typedef {import("./timeline.js").Timeline} Timeline
 */

import { fixed, floatRepr, round } from "./python_numbers.js";

const DIGITS = 4;

/** @type {Record<string, (found: Timeline, file: string, constants: Constants) => string>} */
export const SEGMENT_FORMATS = { csv: toCsv, json: toJson, audacity: toAudacity, textgrid: toTextGrid };

/**
 * @param {Timeline} found
 * @param {string} file name of the recording
 * @param {Constants} constants
 */
function toCsv(found, file, { model, spec }) {
  const head = ["file", "start_s", "end_s", "label", "confidence", "model", "spec", "license"];
  const rows = rowsOf(found).map((row) => [file, ...Object.values(row), model.id, spec.hash, model.license]);
  return [head, ...rows].map((row) => `${row.map(csvField).join(",")}\n`).join("");
}

/** @param {string | number} value */
function csvField(value) {
  if (typeof value === "number") return floatRepr(value);
  return /[",\r\n]/.test(value) ? quoted(value) : value;
}

/**
 * @param {Timeline} found
 * @param {string} file
 * @param {Constants} constants
 */
function toJson(found, file, { model, spec }) {
  const content = {
    file,
    duration_s: round(found.durationS, DIGITS),
    model: model.id,
    spec: spec.hash,
    license: model.license,
    segments: rowsOf(found),
  };
  return `${jsonText(content, "\n")}\n`;
}

/**
 * As Python's json.dumps with an indent of 2; every number is a float.
 *
 * @param {unknown} value
 * @param {string} newline with the indent of the value
 * @returns {string}
 */
function jsonText(value, newline) {
  if (typeof value === "number") return floatRepr(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${newline}  `;
  const items = Array.isArray(value)
    ? value.map((item) => jsonText(item, inner))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${jsonText(item, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return items.length ? `${open}${inner}${items.join(`,${inner}`)}${newline}${close}` : open + close;
}

/**
 * https://manual.audacityteam.org/man/importing_and_exporting_labels.html
 *
 * @param {Timeline} found
 */
function toAudacity({ segments }) {
  return segments.map(({ startS, endS, label }) => `${fixed(startS, 6)}\t${fixed(endS, 6)}\t${label}\n`).join("");
}

/**
 * Praat's long text format: one interval tier, with empty intervals where nobody speaks.
 *
 * @param {Timeline} found
 */
function toTextGrid(found) {
  const intervals = fillGaps(found);
  const endS = fixed(found.durationS, 6);
  const head = `File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = ${endS}
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "emotion"
        xmin = 0
        xmax = ${endS}
        intervals: size = ${intervals.length}
`;
  return head + intervals.map(textGridInterval).join("");
}

/**
 * @param {Interval} interval
 * @param {number} index
 */
function textGridInterval({ startS, endS, label }, index) {
  return `        intervals [${index + 1}]:
            xmin = ${fixed(startS, 6)}
            xmax = ${fixed(endS, 6)}
            text = ${quoted(label)}
`;
}

/** @typedef {{startS: number, endS: number, label: string}} Interval */

/**
 * @param {Timeline} found
 * @returns {Interval[]}
 */
function fillGaps({ segments, durationS }) {
  /** @type {Interval[]} */
  const intervals = [];
  let nowS = 0;
  for (const segment of segments) {
    if (segment.startS > nowS) intervals.push({ startS: nowS, endS: segment.startS, label: "" });
    intervals.push(segment);
    nowS = segment.endS;
  }
  return nowS < durationS ? [...intervals, { startS: nowS, endS: durationS, label: "" }] : intervals;
}

/** @param {string} text */
function quoted(text) {
  return `"${text.replaceAll('"', '""')}"`;
}

/** @param {Timeline} found */
function rowsOf({ segments }) {
  return segments.map(({ startS, endS, label, confidence }) => ({
    start_s: round(startS, DIGITS),
    end_s: round(endS, DIGITS),
    label,
    confidence: round(confidence, DIGITS),
  }));
}
