/** The CDKTF app of a local session on somebody's own Postgres: `node own-source-app.js CONTRACT.json`. */
import { readFileSync } from 'node:fs';
import { App } from 'cdktf';
import { environments } from '../../envs';
import { Access } from '../../modules/access/access';
import { sourceCommit } from '../../modules/commit';
import { Platform } from '../../modules/platform';
import type { LogContract } from '../../sources/contract';
import { contractsWith } from './own-contracts';

const contracts = contractsWith(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as LogContract);
const app = new App({ context: { commit: sourceCommit() } });
new Access(app, environments[0]!, contracts);
new Platform(app, environments[0]!, contracts);
app.synth();
