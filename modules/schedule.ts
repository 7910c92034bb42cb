/** When something starts: at `offsetMinutes` past the hour (or past midnight), and every `everyMinutes` from there. */
export interface Schedule {
  readonly everyMinutes: number;
  readonly offsetMinutes: number;
}

const HOUR = 60;
const DAY = 24 * HOUR;

/** The schedule as the cron expression of EventBridge and Glue, in UTC; for example `cron(10,40 * * * ? *)`. */
export function cronExpression({ everyMinutes, offsetMinutes }: Schedule): string {
  const starts = everyNth(everyMinutes, offsetMinutes, everyMinutes > HOUR ? DAY : HOUR);
  const minutes = everyMinutes > HOUR ? [offsetMinutes % HOUR] : starts;
  const hours = everyMinutes > HOUR ? starts.map((start) => Math.floor(start / HOUR)) : ['*'];
  return `cron(${minutes.join(',')} ${hours.join(',')} * * ? *)`;
}

/** Whether cron can say it: the period divides the hour, or is whole hours that divide the day. */
export function isRegular({ everyMinutes, offsetMinutes }: Schedule): boolean {
  const divides = HOUR % everyMinutes === 0 || (everyMinutes % HOUR === 0 && DAY % everyMinutes === 0);
  return divides && offsetMinutes < everyMinutes;
}

function everyNth(step: number, first: number, end: number): number[] {
  return Array.from({ length: end / step }, (_, n) => first + n * step);
}
