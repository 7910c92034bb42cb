import { Lazy } from 'cdktf';
import { Construct } from 'constructs';
import { allow, policyDocument, type Conditions } from './policy';
import { check } from './validation';

/** What is allowed, on what. */
export interface Permission {
  readonly actions: readonly string[];
  /** ARNs. */
  readonly resources: readonly string[];
  /** @default none */
  readonly conditions?: Conditions;
}

/** What modules grant permissions to. The policy is written at synth, when all have granted. */
export abstract class Grantee extends Construct {
  private readonly granted: Permission[] = [];

  /** @param title names it in errors, for example "role trackman-ingest" */
  constructor(
    scope: Construct,
    id: string,
    private readonly title: string,
  ) {
    super(scope, id);
  }

  /** Makes the resource that holds the policy (JSON); called once, with the first grant: IAM refuses an empty one. */
  protected abstract hold(policy: string): void;

  /** Allows what can be scoped: no action and no resource may be all of a service. */
  allow(permission: Permission): void {
    for (const resource of permission.resources) {
      check(resource.startsWith('arn:') || resource.startsWith('${'), {
        name: `resource of ${this.title}`,
        value: resource,
        expected: 'an ARN',
        remedy: 'name what the actions act on; what no service can scope goes through allowUnscoped()',
      });
    }
    this.add(permission);
  }

  /** Allows actions for which the service knows no resources; conditions must narrow them instead. */
  allowUnscoped(actions: readonly string[], conditions: Conditions): void {
    this.add({ actions, resources: ['*'], conditions });
  }

  private add(permission: Permission): void {
    for (const action of permission.actions) {
      check(/^[a-z0-9-]+:[A-Za-z]+$/.test(action), {
        name: `action of ${this.title}`,
        value: action,
        expected: 'one action such as s3:GetObject',
        remedy: 'list the actions that are needed',
      });
    }
    if (this.granted.length === 0) this.hold(Lazy.stringValue({ produce: () => this.policy() }));
    this.granted.push(permission);
  }

  private policy(): string {
    const statements = merged(this.granted).map(({ actions, resources, conditions }) =>
      allow(actions, resources, conditions),
    );
    return policyDocument(statements);
  }
}

/** What is allowed on the same resources under the same conditions, once: policies have a limited size. */
function merged(permissions: readonly Permission[]): Permission[] {
  const groups = new Map<string, Permission>();
  for (const permission of permissions) {
    const key = JSON.stringify([permission.resources, permission.conditions]);
    const actions = new Set([...(groups.get(key)?.actions ?? []), ...permission.actions]);
    groups.set(key, { ...permission, actions: [...actions] });
  }
  return [...groups.values()];
}
