/** From black over violet and orange to light yellow, ever lighter: bright is loud, also without colours. */
const STOPS = [
  [6, 6, 18],
  [62, 22, 96],
  [150, 44, 104],
  [231, 101, 66],
  [252, 186, 92],
  [252, 250, 214],
];

/** Colours of 256 grey values of a spectrogram, as RGBA. */
export const SPECTROGRAM_COLOURS = Uint8ClampedArray.from({ length: 4 * 256 }, (_, k) => {
  if (k % 4 === 3) return 255;
  const at = ((k >> 2) / 255) * (STOPS.length - 1);
  const below = Math.min(Math.floor(at), STOPS.length - 2);
  return STOPS[below][k % 4] + (at - below) * (STOPS[below + 1][k % 4] - STOPS[below][k % 4]);
});

const N_LABEL_COLOURS = 8; // of style.css

/**
 * The class of a label's colour.
 *
 * @param {string[]} labels of the model
 * @param {string} label
 */
export function labelClass(labels, label) {
  const index = labels.indexOf(label);
  return index < 0 ? "label-none" : `label-${index % N_LABEL_COLOURS}`;
}
