import { IamRole } from '@cdktf/provider-aws/lib/iam-role';
import { AwsProvider } from '@cdktf/provider-aws/lib/provider';
import { Aspects, S3Backend, TerraformStack, type IAspect } from 'cdktf';
import type { Construct, IConstruct } from 'constructs';
import type { Environment } from '../envs/environment';
import { UNCOMMITTED } from './commit';
import * as naming from './naming';
import { names } from './naming';
import { check } from './validation';

export interface EnvironmentStackProps {
  readonly name: string;
  /** Where its state is in the environment's state bucket. */
  readonly stateKey: string;
}

/** A stack of an environment: its state, locked, in the environment's bucket; its account and region, no other; its tags. */
export abstract class EnvironmentStack extends TerraformStack {
  constructor(scope: Construct, environment: Environment, { name, stateKey }: EnvironmentStackProps) {
    super(scope, name);
    const { account, region } = environment;
    new S3Backend(this, {
      bucket: naming.stateBucket(environment),
      key: stateKey,
      region,
      encrypt: true,
      allowedAccountIds: [account],
    });
    // cdktf has no property for it: a lock object beside the state keeps a second apply out.
    this.addOverride('terraform.backend.s3.use_lockfile', true);
    new AwsProvider(this, 'aws', {
      region,
      allowedAccountIds: [account],
      defaultTags: [{ tags: { ...this.ownTags(environment), ...environment.tags } }],
    });
  }

  /** Limits every role of the stack to what a permissions boundary allows, whatever its policies say. */
  protected limitRoles(boundaryArn: string): void {
    Aspects.of(this).add(new Boundary(boundaryArn));
  }

  private ownTags({ name }: Environment): Record<string, string> {
    return { platform: names.platform, environment: name, commit: this.commit() };
  }

  /** What the app's context says: see main.ts. */
  private commit(): string {
    const commit = (this.node.tryGetContext('commit') as string | undefined) ?? UNCOMMITTED;
    check(commit === UNCOMMITTED || /^[0-9a-f]{40}$/.test(commit), {
      name: 'context value commit',
      value: commit,
      expected: `the 40 hexadecimal digits of a commit, or ${UNCOMMITTED}`,
      remedy: 'correct main.ts',
    });
    return commit;
  }
}

class Boundary implements IAspect {
  constructor(private readonly arn: string) {}

  visit(node: IConstruct): void {
    if (node instanceof IamRole) node.permissionsBoundary = this.arn;
  }
}
