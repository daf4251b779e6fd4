import { clock } from "../format.js";
import { MIN_CLIPPED_SAMPLES } from "../limits.js";
import { TEXTS } from "../texts.js";
import { labelClass } from "./colours.js";
import { button, element, note } from "./dom.js";
import { downloads } from "./downloads.js";
import { Player } from "./player.js";
import { SegmentTable } from "./segment_table.js";
import { Waveform } from "./waveform.js";

const PIXELS_PER_S = 12; // at least; the waveform scrolls where it is wider than the page
const PIXELS_PER_TICK = 90;
const MAX_PIXELS = 16000; // wider elements are drawn slowly

/** @typedef {import("../../core/segments.js").Segment} Segment */

/**
 * The segments of a long recording, and the player of its sound.
 *
 * @param {import("../worker/analyse.js").TimelineResult} found
 * @param {File} file
 * @param {import("../../core/constants.js").Constants} constants
 */
export function timelineView(found, file, constants) {
  const { segments, durationS, overview } = found;
  const { labels } = constants.model;
  const width = Math.min(MAX_PIXELS, PIXELS_PER_S * durationS);
  const waveform = new Waveform(overview, durationS, Math.max(8, width / PIXELS_PER_TICK));
  waveform.element.style.minWidth = `${width}px`;
  const player = new Player(file, (atS) => waveform.showPosition(atS));
  const play = (/** @type {Segment} */ { startS, endS }) => player.play(startS, endS);
  for (const segment of segments) waveform.add(segment.startS, segment.endS, mark(segment, labels, play));
  const made = element(
    "article",
    { class: "result" },
    element("p", { class: "file" }, file.name),
    element("h2", { class: "headline", tabindex: "-1" }, heading(segments.length, durationS)),
    overview.clippedSamples >= MIN_CLIPPED_SAMPLES ? element("p", { class: "warning" }, TEXTS.clipped) : null,
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": TEXTS.waveform }, waveform.element),
    element(
      "div",
      { class: "row" },
      button(TEXTS.play, () => player.play(0, Infinity)),
      button(TEXTS.stop, () => player.stop()),
    ),
    ...details(found, file.name, constants, play),
  );
  return { element: made, player };
}

/**
 * @param {number} count
 * @param {number} durationS
 */
const heading = (count, durationS) =>
  count ? TEXTS.segmentsFound(count, clock(durationS)) : TEXTS.noSegments(clock(durationS));

/**
 * @param {import("../worker/analyse.js").TimelineResult} found
 * @param {string} name
 * @param {import("../../core/constants.js").Constants} constants
 * @param {(segment: Segment) => void} play
 */
function details(found, name, constants, play) {
  if (!found.segments.length) return [];
  const table = new SegmentTable(constants.model.labels, play);
  table.add(found.segments);
  return [
    element("h3", {}, TEXTS.segments),
    note(TEXTS.timelineHelp),
    element("div", { class: "scroll rows" }, table.element),
    element("h3", {}, TEXTS.downloads),
    downloads(found, name, constants),
  ];
}

/**
 * A segment over the waveform, for the pointer; keys reach it in the table.
 *
 * @param {Segment} segment
 * @param {string[]} labels
 * @param {(segment: Segment) => void} play
 */
function mark(segment, labels, play) {
  const text = `${segment.label}, ${clock(segment.startS)}`;
  const attributes = { class: `segment ${labelClass(labels, segment.label)}`, title: text, "aria-hidden": "true" };
  return element("div", { ...attributes, onclick: () => play(segment) }, segment.label);
}
