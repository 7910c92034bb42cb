import { App } from 'cdktf';
import { environments } from './envs';
import { Access } from './modules/access/access';
import { sourceCommit } from './modules/commit';
import { Platform } from './modules/platform';

const app = new App({ context: { commit: sourceCommit() } });
for (const environment of environments) {
  new Access(app, environment);
  new Platform(app, environment);
}
app.synth();
