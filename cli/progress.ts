import { createInterface } from 'node:readline';

/** Where progress goes. Data belongs on stdout, everything that tells how far we are on stderr. */
const screen = process.stderr;
const FRAME_MS = 500;

export interface FinishedStep {
  readonly name: string;
  readonly seconds: number;
  /** What the step says of itself, for the summary. */
  readonly detail: string;
}

/**
 * Runs `work` under a name. While it runs, the screen shows the seconds and what `work` last reported; afterwards one
 * line stays. Without a terminal each new report is a line of its own.
 */
export async function step<T>(
  name: string,
  work: (report: (line: string) => void) => Promise<T>,
  describe: (result: T, seconds: number) => string = () => '',
): Promise<{ result: T; finished: FinishedStep }> {
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let last = '';
  const draw = (): void => {
    if (screen.isTTY) rewrite(`  … ${name}  ${elapsed().toFixed(0)} s  ${last}`);
  };
  const report = (line: string): void => {
    if (line === last) return;
    last = line;
    if (!screen.isTTY) screen.write(`    ${name}: ${line}\n`);
  };
  if (!screen.isTTY) screen.write(`  … ${name}\n`);
  const timer = setInterval(draw, FRAME_MS);
  try {
    const result = await work(report);
    const seconds = elapsed();
    const detail = describe(result, seconds);
    finishLine(`  ✓ ${name}  ${seconds.toFixed(1)} s  ${detail}`);
    return { result, finished: { name, seconds: round(seconds), detail } };
  } catch (error) {
    finishLine(`  ✗ ${name}  ${elapsed().toFixed(1)} s`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** Seconds to the millisecond. */
export function round(seconds: number): number {
  return Number(seconds.toFixed(3));
}

/** Calls `onLine` with each line of a child's stream. */
export function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  createInterface({ input: stream }).on('line', onLine);
}

function rewrite(text: string): void {
  screen.write(`\r\x1b[2K${text.slice(0, (screen.columns || 80) - 1)}`);
}

function finishLine(text: string): void {
  screen.write(screen.isTTY ? `\r\x1b[2K${text.trimEnd()}\n` : `${text.trimEnd()}\n`);
}
