import { IamRole } from '@cdktf/provider-aws/lib/iam-role';
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy';
import { Lazy } from 'cdktf';
import { Construct } from 'constructs';
import { check } from './validation';

/** Condition operator → condition key → values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** What is allowed, on what. */
export interface Permission {
  readonly actions: readonly string[];
  /** ARNs. */
  readonly resources: readonly string[];
  /** @default none */
  readonly conditions?: Conditions;
}

export interface RoleProps {
  readonly name: string;
  /** Who uses it and what for. */
  readonly description: string;
  /** Who may assume it: an AWS service ("glue.amazonaws.com"), or an account's principals by the account's number. */
  readonly trusts: { readonly service: string } | { readonly account: string };
}

/** An IAM role with one policy of its own, which modules fill by their grant methods. */
export class Role extends Construct {
  readonly name: string;
  readonly arn: string;
  private readonly permissions: Permission[] = [];

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id);
    const role = new IamRole(this, 'role', {
      name: props.name,
      description: props.description,
      assumeRolePolicy: policy([{ Action: 'sts:AssumeRole', Principal: principal(props.trusts) }]),
    });
    new IamRolePolicy(this, 'permissions', {
      name: 'permissions',
      role: role.name,
      // At synth, when every module has granted.
      policy: Lazy.stringValue({ produce: () => policy(this.permissions.map(statement)) }),
    });
    this.name = props.name;
    this.arn = role.arn;
  }

  /** Allows what can be scoped: no action and no resource may be all of a service. */
  allow(permission: Permission): void {
    for (const resource of permission.resources) {
      check(resource.startsWith('arn:') || resource.startsWith('${'), {
        name: `resource of role ${this.name}`,
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
        name: `action of role ${this.name}`,
        value: action,
        expected: 'one action such as s3:GetObject',
        remedy: 'list the actions that are needed',
      });
    }
    this.permissions.push(permission);
  }
}

function principal(trusts: RoleProps['trusts']): object {
  return 'service' in trusts ? { Service: trusts.service } : { AWS: `arn:aws:iam::${trusts.account}:root` };
}

function statement({ actions, resources, conditions }: Permission): object {
  return { Action: actions, Resource: resources, ...(conditions && { Condition: conditions }) };
}

function policy(statements: readonly object[]): string {
  const allowed = statements.map((each) => ({ Effect: 'Allow', ...each }));
  return JSON.stringify({ Version: '2012-10-17', Statement: allowed });
}
