import { isWhole, SHORTEST_PERIOD_MINUTES } from './limits';
import { check } from './validation';

/** When something starts: at `offsetMinutes` past the hour (or past midnight), and every `everyMinutes` from there. */
export interface Schedule {
  readonly everyMinutes: number;
  readonly offsetMinutes: number;
}

const HOUR = 60;
const DAY = 24 * HOUR;

/** The schedule as the cron expression of EventBridge and Glue, in UTC; for example `cron(10,40 * * * ? *)`. */
export function cronExpression(schedule: Schedule): string {
  check(isRegular(schedule), {
    name: 'schedule',
    value: schedule,
    expected: REGULAR,
    remedy: 'correct schedules in the environment',
  });
  const { everyMinutes, offsetMinutes } = schedule;
  const starts = everyNth(everyMinutes, offsetMinutes, everyMinutes > HOUR ? DAY : HOUR);
  const minutes = everyMinutes > HOUR ? [offsetMinutes % HOUR] : starts;
  const hours = everyMinutes > HOUR ? starts.map((start) => Math.floor(start / HOUR)) : ['*'];
  return `cron(${minutes.join(',')} ${hours.join(',')} * * ? *)`;
}

export const REGULAR = `a period of at least ${SHORTEST_PERIOD_MINUTES} minutes that divides the hour, or whole hours that divide the day, and an offset below it`;

/** Whether cron can say it, and Glue takes it. */
export function isRegular({ everyMinutes, offsetMinutes }: Schedule): boolean {
  const divides = HOUR % everyMinutes === 0 || (everyMinutes % HOUR === 0 && DAY % everyMinutes === 0);
  return divides && everyMinutes >= SHORTEST_PERIOD_MINUTES && isWhole(offsetMinutes, 0, everyMinutes - 1);
}

function everyNth(step: number, first: number, end: number): number[] {
  return Array.from({ length: end / step }, (_, n) => first + n * step);
}
