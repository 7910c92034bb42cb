import { IamRole } from '@cdktf/provider-aws/lib/iam-role';
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy';
import type { ITerraformDependable } from 'cdktf';
import type { Construct } from 'constructs';
import { Grantee } from './grantee';
import { nameRule } from './limits';
import { policyDocument, type Statement } from './policy';
import { checkRules } from './validation';

export interface RoleProps {
  readonly name: string;
  /** Who uses it and what for. */
  readonly description: string;
  /** Who may assume it: AWS services ("glue.amazonaws.com"), or an account's principals by the account's number. */
  readonly trusts: { readonly service: string | readonly string[] } | { readonly account: string };
}

/** An IAM role with one policy of its own, which modules fill by their grant methods. */
export class Role extends Grantee {
  readonly name: string;
  readonly arn: string;
  /** What resources wait for that act as the role while they are created; empty before the first grant. */
  readonly policies: ITerraformDependable[] = [];

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id, `role ${props.name}`);
    checkRules('a role', [nameRule('name', props.name, 64)], 'shorten it in modules/naming.ts');
    const role = new IamRole(this, 'role', {
      name: props.name,
      description: props.description,
      assumeRolePolicy: policyDocument([
        { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: principal(props.trusts) },
      ]),
    });
    this.name = role.name;
    this.arn = role.arn;
  }

  protected override hold(policy: string): void {
    this.policies.push(new IamRolePolicy(this, 'permissions', { name: 'permissions', role: this.name, policy }));
  }
}

function principal(trusts: RoleProps['trusts']): Statement['Principal'] {
  return 'service' in trusts ? { Service: trusts.service } : { AWS: `arn:aws:iam::${trusts.account}:root` };
}
