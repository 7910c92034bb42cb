import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';

const LIVE_INTERVAL_MS = process.stderr.isTTY ? 1_000 : 20_000;

/** Bytes that a directory holds, with all below it; symbolic links are not followed. */
export function sizeOf(directory) {
  return readdirSync(directory, { withFileTypes: true }).reduce((sum, entry) => {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) return sum + sizeOf(file);
    return sum + (entry.isFile() ? lstatSync(file).size : 0);
  }, 0);
}

/** `bytes` for people, in megabytes. */
export function megabytes(bytes) {
  return `${Math.ceil(bytes / 1e6)} MB`;
}

/** What is under way, on stderr: a line when a step starts, one when it is done, and a sign of life in between. */
export class Progress {
  #started = Date.now();
  #running = new Map();
  #timer;

  /**
   * Reports `work` as one step.
   * @param {string} title what is being made
   * @param {string} expectation what it will cost, e.g. "about 540 MB to download"; may be empty
   * @param {() => Promise<string>} work returns what to say of the result, e.g. its size
   */
  async step(title, expectation, work) {
    const started = Date.now();
    this.#say(expectation ? `${title} … (${expectation})` : `${title} …`);
    this.#running.set(title, started);
    this.#timer ??= setInterval(() => this.#live(), LIVE_INTERVAL_MS).unref();
    try {
      const result = await work();
      this.#say(`${title}: done in ${seconds(started)} s${result ? `, ${result}` : ''}`);
    } finally {
      this.#running.delete(title);
    }
  }

  /** Says that another set-up is at it. */
  waiting(title) {
    this.#say(`${title}: waiting for another set-up that is under way`);
  }

  /** Says that everything is in place, if anything had to be done at all. */
  finish() {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#say(`complete in ${seconds(this.#started)} s`);
  }

  #live() {
    const steps = [...this.#running].map(([title, started]) => `${title} ${seconds(started)} s`);
    if (steps.length === 0) return;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K  working: ${steps.join(' · ')}`);
    else this.#say(`still working: ${steps.join(', ')}`);
  }

  #say(line) {
    process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}set-up: ${line}\n`);
  }
}

function seconds(since) {
  return ((Date.now() - since) / 1000).toFixed(1);
}
