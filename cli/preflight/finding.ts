/** What a check found, and what is done about it. */
import { FailedError } from '../errors';

export interface Finding {
  /** What was looked at, for example "state bucket trackman-state-dev-111111111111". */
  readonly subject: string;
  /** `told` is worth knowing and keeps nothing from working. */
  readonly state: 'good' | 'told' | 'wrong';
  /** What is there; never a value that may hold a password. */
  readonly found: string;
  /** Null when good. */
  readonly expected: string | null;
  /** Who does what about it; null when good. */
  readonly remedy: string | null;
}

/** What was found instead of what is expected. */
export interface Complaint {
  readonly found: string;
  readonly expected: string;
  readonly remedy: string;
}

export function good(subject: string, found: string): Finding {
  return { subject, state: 'good', found, expected: null, remedy: null };
}

export function told(subject: string, complaint: Complaint): Finding {
  return { subject, state: 'told', ...complaint };
}

export function wrong(subject: string, complaint: Complaint): Finding {
  return { subject, state: 'wrong', ...complaint };
}

/** What `look` finds; when AWS, the network or a database refuses to answer, that is the finding. */
export async function findings(
  subject: string,
  look: () => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return [await look()].flat();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const said = `${error.name}: ${error.message}`.replace(/\s+/g, ' ').trim();
    const found = error instanceof FailedError ? error.message : said;
    return [wrong(subject, { found, expected: 'an answer', remedy: 'you see to that, then run it again' })];
  }
}

/** One line: a sign, the subject, what was found and, unless that is good, what to do. */
export function renderFinding({ subject, state, found, expected, remedy }: Finding): string {
  const line = `${{ good: '✓', told: '!', wrong: '✗' }[state]} ${subject}: ${found}`;
  return expected === null ? line : `${line}; expected ${expected}; ${remedy}`;
}

/** Whether somebody else said no, and not a defect of ours: AWS, the network or Postgres. */
function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof TypeError) return false;
  return error instanceof FailedError || '$metadata' in error || 'code' in error;
}
