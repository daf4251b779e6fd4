import { clock, decimal, percent } from "../format.js";
import { MIN_CLIPPED_SAMPLES, QUIET_DBFS, SHORT_S } from "../limits.js";
import { TEXTS } from "../texts.js";
import { Bars } from "./bars.js";
import { button, element, note } from "./dom.js";
import { Player } from "./player.js";
import { spectrogram } from "./spectrogram.js";
import { Waveform } from "./waveform.js";

/** @typedef {import("../worker/analyse.js").ClipResult} ClipResult */

/**
 * The result of a recording that the model's window holds, and the player of its sound.
 *
 * @param {ClipResult} clip
 * @param {File} file
 * @param {import("../../core/constants.js").Constants} constants
 */
export function clipView(clip, file, constants) {
  const waveform = new Waveform(clip.overview, clip.durationS);
  waveform.add(...clip.rangeS, element("div", { class: "shown" }));
  const player = new Player(file, (atS) => waveform.showPosition(atS));
  const made = element(
    "article",
    { class: "result" },
    element("p", { class: "file" }, file.name),
    ...headline(clip, constants),
    ...warnings(clip),
    element("h3", {}, TEXTS.waveform),
    waveform.element,
    element("div", { class: "row" }, button(TEXTS.play, () => player.play(0, Infinity)), note(extent(clip))),
    element("h3", {}, TEXTS.image),
    spectrogram(clip, constants),
  );
  return { element: made, player };
}

/**
 * @param {ClipResult} clip
 * @param {import("../../core/constants.js").Constants} constants
 */
function headline({ label, ranked, speech }, { prediction }) {
  const head = element("h2", { class: "headline", tabindex: "-1" }, label);
  if (!speech) return [head, note(TEXTS.noSpeech)];
  const [best, value] = ranked[0];
  const text = label === prediction.uncertain ? TEXTS.uncertain(best, percent(value)) : TEXTS.confidence(percent(value));
  const bars = new Bars(TEXTS.probabilities);
  bars.show(ranked);
  return [head, note(text), bars.element];
}

/** @param {ClipResult} clip */
function warnings({ classifiedS, levelDbfs, overview }) {
  const texts = [
    classifiedS < SHORT_S ? TEXTS.short(decimal(classifiedS)) : null,
    levelDbfs < QUIET_DBFS ? TEXTS.quiet(levelDbfs.toFixed(0)) : null,
    overview.clippedSamples >= MIN_CLIPPED_SAMPLES ? TEXTS.clipped : null,
  ];
  return texts.map((text) => text && element("p", { class: "warning" }, text));
}

/** @param {ClipResult} clip */
function extent({ classifiedS, durationS }) {
  return TEXTS.classified(decimal(classifiedS), durationS < 60 ? decimal(durationS) : clock(durationS));
}
