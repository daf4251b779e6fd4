/** Numbers as text for people. */

/** @param {number} fraction */
export const percent = (fraction) => `${(100 * fraction).toFixed(fraction < 0.0995 ? 1 : 0)} %`;

/** @param {number} value */
export const decimal = (value) => value.toFixed(1);

/**
 * A time as `1:02.3`.
 *
 * @param {number} seconds
 */
export function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
  return `${minutes}:${(rest / 10).toFixed(1).padStart(4, "0")}`;
}
