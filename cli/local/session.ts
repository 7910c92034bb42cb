/** What a running local platform is: kept in .local/session.json for the commands that come after `local up`. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../envs/environment';
import { InputError } from '../errors';
import { localDirectory } from '../toolchain';
import { isUp, type Emulator } from './emulator';
import { slotLeft, type OwnSource } from './own-source';

/** The emulator, and what it follows in the place of trackman-backend. */
export interface Session extends Emulator {
  readonly own?: OwnSource;
}

const sessionFile = join(localDirectory, 'session.json');

export function saveSession(session: Session): void {
  writeFileSync(sessionFile, `${JSON.stringify(session, null, 2)}\n`);
}

export function forgetSession(): void {
  rmSync(sessionFile, { force: true });
}

/** The platform that is up, or undefined. What a killed start left behind is forgotten. */
export async function currentSession(): Promise<Session | undefined> {
  if (!existsSync(sessionFile)) return undefined;
  const session = JSON.parse(readFileSync(sessionFile, 'utf8')) as Session;
  if (await isUp(session)) return session;
  if (session.own) process.stderr.write(`the local platform before this one was killed: ${slotLeft(session.own)}\n`);
  forgetSession();
  return undefined;
}

export async function requireSession(): Promise<Session> {
  const emulator = await currentSession();
  if (!emulator)
    throw new InputError('no local platform is up in this checkout; start one with: npx trackman local up');
  return emulator;
}

export async function refuseSecondSession(): Promise<void> {
  const emulator = await currentSession();
  if (emulator) {
    throw new InputError(
      `a local platform is up already at ${emulator.endpoint} (process ${emulator.pid}); stop it with: npx trackman local down`,
    );
  }
}

/** The variables by which any AWS client reaches the emulator as an administrator of the environment's account. */
function awsVariables(emulator: Emulator, environment: Environment): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_ACCESS_KEY_ID: `AKIALOCL${environment.account}`,
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_REGION: environment.region,
    AWS_DEFAULT_REGION: environment.region,
  };
}

/** The same as lines for a shell. */
export function exportLines(emulator: Emulator, environment: Environment): string {
  return Object.entries(awsVariables(emulator, environment))
    .map(([name, value]) => `export ${name}=${value}\n`)
    .join('');
}

/** Points this process and its children at the emulator, whatever AWS settings the shell had. */
export function useEmulator(emulator: Emulator, environment: Environment): void {
  for (const name of Object.keys(process.env)) if (/^AWS_(?!SDK_)/.test(name)) delete process.env[name];
  Object.assign(process.env, awsVariables(emulator, environment));
}
