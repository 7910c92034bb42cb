import type { Grantee } from './grantee';

/** Allows to publish metrics in a namespace: they have no resource that could be named. */
export function grantMetrics(role: Grantee, namespace: string): void {
  role.allowUnscoped(['cloudwatch:PutMetricData'], { StringEquals: { 'cloudwatch:namespace': namespace } });
}
