import { arn, type Location } from './naming';
import type { Grantee } from './grantee';

/** Allows to write to the log groups whose name begins with `group`, and to create them. */
export function grantLogs(role: Grantee, location: Location, group: string): void {
  role.allow({
    actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [arn('logs', location, `log-group:${group}*`)],
  });
}
