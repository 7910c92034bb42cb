import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { app, context } from '../../cdktf.json';
import { inTemporaryDirectory } from '../../cli/terraform/plan-files';
import { projectRoot } from '../../modules/project';
import { repeated } from '../measure';

/** Seconds of the program that `cdktf synth` runs: every stack of every environment, from TypeScript to JSON. */
export const synth = repeated(async () => {
  const [program, ...argv] = app.split(' ');
  const value = await inTemporaryDirectory(async (directory) => {
    const started = performance.now();
    await promisify(execFile)(program!, argv, {
      cwd: projectRoot,
      env: { ...process.env, CDKTF_OUTDIR: directory, CDKTF_CONTEXT_JSON: JSON.stringify(context) },
    });
    return (performance.now() - started) / 1000;
  });
  return { measure: 'synth of all stacks', value, unit: 's', better: 'lower', must: 3, aim: 1.5 };
});
