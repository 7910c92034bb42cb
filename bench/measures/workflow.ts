import { environments } from '../../envs';
import { names } from '../../modules/naming';
import { runWorkflow } from '../../cli/aws/glue';
import { withEmulator } from '../../cli/local/lifetime';
import { DemoSource } from '../../cli/local/local-source';
import { bringUp, runPipeline } from '../../cli/local/platform';
import { refuseSecondSession } from '../../cli/local/session';
import { connectAsOwner, type SourceOwner } from '../../demo/source';
import type { Measure, Row } from '../measure';

const SHOTS = 200_000;
const CHANGES = 20_000;
const FIGURE = {
  measure: 'incremental workflow run, 20k changes over 5 tables',
  unit: 's',
  better: 'lower',
  must: 75,
  aim: 45,
} as const;

/** Seconds of the workflow `pipeline`, its two jobs one after the other, on the emulator: the platform as it is deployed. */
export const workflow: Measure = async (runs, report) => {
  const [environment] = environments;
  const rows: Row[] = [];
  await refuseSecondSession();
  await withEmulator(false, environment!, async (own) => {
    const ignore = (): void => undefined;
    const source = new DemoSource(SHOTS);
    await bringUp(environment!, source, own, ignore);
    await runPipeline(environment!, 'snapshot', ignore);
    for (let run = 1; run <= runs; run++) {
      await change(source.owner, run);
      const started = performance.now();
      await runWorkflow(environment!.region, names.workflow, report);
      rows.push({ ...FIGURE, value: (performance.now() - started) / 1000 });
      report(`${run} of ${runs}`);
    }
  });
  return rows;
};

/** Changes 20,000 rows, each time others: all small tables, the players and sessions, and shots for the rest. */
async function change(source: SourceOwner, number: number): Promise<void> {
  const client = await connectAsOwner(source);
  try {
    const statements = [
      `update facilities set opened_on = opened_on + 1`,
      `update bays set calibrated_at = now()`,
      `update players set handicap = ${number}`,
      `update sessions set notes = 'run ${number}'`,
      `insert into shots select id + 10000000 * ${number}, session_id, shot_number, club, ball_speed, club_speed,
         smash_factor, launch_angle, spin_rate, carry, total, side, hit_at, raw
       from (select * from shots where id <= 200000 order by id desc limit 5000) as recent`,
    ];
    let changed = 0;
    for (const statement of statements) changed += (await client.query(statement)).rowCount!;
    await client.query(
      `update shots set carry = carry + 0.25
       where id in (select id from shots where id <= 200000 order by hit_at desc limit $1)`,
      [CHANGES - changed],
    );
  } finally {
    await client.end();
  }
}
