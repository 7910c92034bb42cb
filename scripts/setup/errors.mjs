/** A set-up that cannot go on for a reason the user can do something about: shown without a stack trace. */
export class SetupError extends Error {}
