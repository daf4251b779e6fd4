/**
 * Numbers as Python rounds and writes them.
 */

/**
 * Python's round(x): half goes to the even neighbour.
 *
 * @param {number} x
 */
export function roundHalfEven(x) {
  const down = Math.floor(x);
  const half = x - down === 0.5;
  return half ? down + (down % 2 === 0 ? 0 : 1) : Math.round(x);
}

/**
 * Python's f"{x:.{digits}f}".
 *
 * `toFixed` rounds the exact binary value, as Python does, but away from zero where that lies halfway between two
 * decimals: where x is an odd multiple of a power of two.
 *
 * @param {number} x
 * @param {number} digits
 */
export function fixed(x, digits) {
  const away = x.toFixed(digits);
  const halfway = Math.abs((x * 2 ** (digits + 1)) % 2) === 1;
  const lastDigit = Number(away.at(-1));
  return halfway && lastDigit % 2 === 1 ? `${away.slice(0, -1)}${lastDigit - 1}` : away;
}

/**
 * Python's round(x, digits).
 *
 * @param {number} x
 * @param {number} digits
 */
export function round(x, digits) {
  return Number(fixed(x, digits));
}

/**
 * Python's repr of a float: 4.0, 0.1, 1e-05.
 *
 * @param {number} x
 */
export function floatRepr(x) {
  const [mantissa, exponent] = x.toExponential().split("e");
  const power = Number(exponent);
  if (x !== 0 && (power < -4 || power >= 16)) {
    return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return Number.isInteger(x) ? `${Object.is(x, -0) ? "-0" : x}.0` : String(x);
}
