import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy';
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment';
import type { Construct } from 'constructs';
import { Grantee } from './grantee';
import type { Role } from './role';

export interface ManagedPolicyProps {
  readonly name: string;
  /** Who it is for; IAM replaces the policy when it changes. */
  readonly description: string;
}

/** A policy that the account's administrators attach to whom they choose; modules fill it by their grant methods. */
export class ManagedPolicy extends Grantee {
  readonly name: string;
  private attached?: IamPolicy;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ManagedPolicyProps,
  ) {
    super(scope, id, `policy ${props.name}`);
    this.name = props.name;
  }

  /** @throws Error before anything was granted */
  attachTo(role: Role): void {
    if (!this.attached) throw new Error(`policy ${this.name} allows nothing yet: grant before you attach it`);
    new IamRolePolicyAttachment(this, `to-${role.node.id}`, { role: role.name, policyArn: this.attached.arn });
  }

  protected override hold(policy: string): void {
    this.attached = new IamPolicy(this, 'policy', { ...this.props, policy });
  }
}
