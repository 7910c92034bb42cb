import type { Role } from './role';

/** Allows to publish metrics in a namespace: they have no resource that could be named. */
export function grantMetrics(role: Role, namespace: string): void {
  role.allowUnscoped(['cloudwatch:PutMetricData'], { StringEquals: { 'cloudwatch:namespace': namespace } });
}
