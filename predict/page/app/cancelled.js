/** The end of a call that was cancelled. */
export class Cancelled extends Error {}
