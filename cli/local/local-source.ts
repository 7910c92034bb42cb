/** What a local platform follows: the demonstration's databases, or somebody's own Postgres. */
import { readFileSync } from 'node:fs';
import { createClubs } from '../../demo/clubs';
import { createSource, loadHistory, type SourceOwner } from '../../demo/source';
import type { Environment } from '../../envs/environment';
import type { SourceContract } from '../../sources/contract';
import type { Emulator } from './emulator';
import type { OwnSource } from './own-source';

export interface LocalSource {
  /** The step's name. */
  readonly title: string;
  /** What the emulator is started with for it. */
  readonly emulatorOptions: readonly string[];
  /** Contracts and CDKTF app in the place of the platform's own. @default the platform's own */
  readonly own?: { readonly contracts: readonly SourceContract[]; readonly app: string; readonly source: OwnSource };
  /** Has it there, and hands it to the platform as owners do. @returns where it is */
  create(environment: Environment, emulator: Emulator): Promise<string>;
  /** What it is filled with beside the apply. */
  readonly history?: { readonly rows: number; load(): Promise<void> };
}

export class DemoSource implements LocalSource {
  readonly title = 'trackman-backend, club-memberships';
  readonly emulatorOptions = [];
  readonly history: NonNullable<LocalSource['history']>;
  private created: SourceOwner | undefined;

  /** @param shots size of the history */
  constructor(shots: number) {
    this.history = { rows: shots, load: () => loadHistory(this.owner, shots) };
  }

  /** Of the server, once it was created. */
  get owner(): SourceOwner {
    if (!this.created) throw new Error('the source was not created yet');
    return this.created;
  }

  async create(environment: Environment, emulator: Emulator): Promise<string> {
    this.created = await createSource(environment, readFileSync(emulator.caFile, 'utf8'));
    await createClubs(this.created, environment);
    const { host, port, database } = this.created;
    return `postgresql://${host}:${port}/${database}`;
  }
}
