/** The one error for mistakes that a user can correct, with the sentences of Python's UserError; others are bugs. */
export class UserError extends Error {
  name = "UserError";
}

/**
 * Throws UserError where a value is not a number in a range.
 *
 * @param {string} name
 * @param {number} value
 * @param {import("./constants.js").Range} range
 */
export function requireBetween(name, value, [lowest, highest]) {
  if (!(typeof value === "number" && lowest <= value && value <= highest)) {
    throw new UserError(`${name} is ${value}, expected ${lowest} to ${highest}`);
  }
}

/**
 * The result of an action; a UserError that it throws is prefixed with the name of the recording.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function prefixErrors(name, action) {
  try {
    return await action();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${name}: ${error.message}`) : error;
  }
}
