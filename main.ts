import { App } from 'cdktf';
import { environments } from './envs';
import { Platform } from './modules/platform';

const app = new App();
for (const environment of environments) new Platform(app, environment);
app.synth();
