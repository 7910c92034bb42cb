import { IamOpenidConnectProvider } from '@cdktf/provider-aws/lib/iam-openid-connect-provider';
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy';
import { IamRole } from '@cdktf/provider-aws/lib/iam-role';
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy';
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment';
import type { Construct } from 'constructs';
import type { Environment } from '../../envs/environment';
import { resolveContracts, withDatabases, type SourceContract } from '../../sources/contract';
import * as naming from '../naming';
import { names, OIDC_ISSUER } from '../naming';
import { allow, limitedPolicy, policyDocument, type Statement } from '../policy';
import { EnvironmentStack } from '../stack';
import { areas, type Area } from './areas';
import { boundary } from './boundary';

const AUDIENCE = 'sts.amazonaws.com';

/**
 * Who may plan and apply: GitHub's workflows by their own tokens, for an hour, without a key that could be lost. It is
 * applied by `trackman bootstrap`, by an administrator: what a pipeline may do, no pipeline changes.
 */
export class Access extends EnvironmentStack {
  private readonly provider: IamOpenidConnectProvider;

  /** @param sources contracts with the sources. @default those of sources/ */
  constructor(scope: Construct, environment: Environment, sources?: readonly SourceContract[]) {
    super(scope, environment, {
      name: naming.accessStackName(environment),
      stateKey: naming.accessStateKey(environment),
    });
    this.provider = new IamOpenidConnectProvider(this, 'github', {
      url: `https://${OIDC_ISSUER}`,
      clientIdList: [AUDIENCE],
    });
    new IamPolicy(this, 'boundary', {
      name: names.access.boundary,
      description: 'The most that a role of the platform can be allowed',
      policy: limitedPolicy(names.access.boundary, boundary(environment), 'managed'),
    });
    const allAreas = areas(
      environment,
      withDatabases(resolveContracts(environment, sources)).map(({ connection }) => connection.glueConnection),
    );
    this.addPlanRole(environment, allAreas);
    this.addApplyRole(environment, allAreas);
  }

  /** Pull requests, and the main branch: the plans of a deploy and of the nightly look for drift. */
  private addPlanRole(environment: Environment, allAreas: readonly Area[]): void {
    const role = this.role('plan', {
      name: names.access.plan,
      description: "Plans: reads what planning needs, writes only the states' locks",
      subjects: ['pull_request', 'ref:refs/heads/main'].map((context) => subject(environment, context)),
    });
    const keys = [naming.stateKey(environment), naming.accessStateKey(environment)];
    const name = `${names.access.policies}plan`;
    new IamRolePolicy(this, 'plan-permissions', {
      name,
      role: role.name,
      policy: limitedPolicy(
        name,
        [
          ...readState(environment, keys),
          ...lockState(environment, keys),
          ...allAreas.flatMap(({ read }) => read),
          allow(['iam:GetOpenIDConnectProvider'], [naming.oidcProviderArn(environment)]),
          denySecrets(),
        ],
        'inline',
      ),
    });
  }

  /** Jobs of the GitHub environment with this environment's name, whose rules say who approves, and from which branch. */
  private addApplyRole(environment: Environment, allAreas: readonly Area[]): void {
    const role = this.role('apply', {
      name: names.access.apply,
      description: "Applies the platform's stack and runs the migration",
      subjects: [subject(environment, `environment:${environment.name}`)],
    });
    const key = naming.stateKey(environment);
    const name = `${names.access.policies}apply`;
    new IamRolePolicy(this, 'apply-permissions', {
      name,
      role: role.name,
      policy: limitedPolicy(
        name,
        [
          ...readState(environment, [key]),
          ...lockState(environment, [key]),
          allow(['s3:PutObject'], [stateObject(environment, key)]),
          denySecrets(naming.arn('secretsmanager', environment, 'secret:redshift!*')),
          denyOwnAccess(environment),
          denyStateBucket(environment),
          ...(environment.deletionProtection ? [denyDeletion()] : []),
        ],
        'inline',
      ),
    });
    for (const area of allAreas) this.attach(role, area);
  }

  private attach(role: IamRole, { name: area, read, write }: Area): void {
    const name = `${names.access.policies}${area}`;
    const policy = new IamPolicy(this, area, {
      name,
      description: `What an apply does to the platform: ${area}`,
      policy: limitedPolicy(name, [...read, ...write], 'managed'),
    });
    new IamRolePolicyAttachment(this, `apply-${area}`, { role: role.name, policyArn: policy.arn });
  }

  private role(
    id: string,
    { name, description, subjects }: { name: string; description: string; subjects: readonly string[] },
  ): IamRole {
    return new IamRole(this, id, {
      name,
      description,
      assumeRolePolicy: policyDocument([
        {
          Effect: 'Allow',
          Action: 'sts:AssumeRoleWithWebIdentity',
          Principal: { Federated: this.provider.arn },
          Condition: { StringEquals: { [`${OIDC_ISSUER}:aud`]: AUDIENCE, [`${OIDC_ISSUER}:sub`]: subjects } },
        },
      ]),
    });
  }
}

/** What GitHub's token says of a job. A job with an environment is told by that alone, whatever started it. */
function subject({ repository }: Environment, context: string): string {
  return `repo:${repository}:${context}`;
}

function stateObject(environment: Environment, key: string): string {
  return `arn:aws:s3:::${naming.stateBucket(environment)}/${key}`;
}

function readState(environment: Environment, keys: readonly string[]): Statement[] {
  return [
    allow(['s3:ListBucket'], [`arn:aws:s3:::${naming.stateBucket(environment)}`]),
    allow(
      ['s3:GetObject'],
      keys.map((key) => stateObject(environment, key)),
    ),
  ];
}

function lockState(environment: Environment, keys: readonly string[]): Statement[] {
  const locks = keys.map((key) => `${stateObject(environment, key)}.tflock`);
  return [allow(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], locks)];
}

/** The values of secrets: neither read nor written. @param except what the role may read after all, as an ARN */
function denySecrets(except?: string): Statement {
  return {
    Sid: 'NoSecretValues',
    Effect: 'Deny',
    Action: [
      'secretsmanager:BatchGetSecretValue',
      'secretsmanager:GetSecretValue',
      'secretsmanager:PutSecretValue',
      'secretsmanager:UpdateSecret',
      'secretsmanager:UpdateSecretVersionStage',
    ],
    ...(except === undefined ? { Resource: ['*'] } : { NotResource: [except] }),
  };
}

function denyOwnAccess(environment: Environment): Statement {
  const { plan, apply, policies, boundary } = names.access;
  return {
    Sid: 'NotItsOwnAccess',
    Effect: 'Deny',
    NotAction: ['iam:Get*', 'iam:List*'],
    Resource: [
      naming.roleArn(environment, plan),
      naming.roleArn(environment, apply),
      naming.policyArn(environment, `${policies}*`),
      naming.policyArn(environment, boundary),
      naming.oidcProviderArn(environment),
    ],
  };
}

/** The state's bucket is `trackman bootstrap`'s, and its name begins as the platform's own do. */
function denyStateBucket(environment: Environment): Statement {
  const bucket = `arn:aws:s3:::${naming.stateBucket(environment)}`;
  return {
    Sid: 'StateBucketStays',
    Effect: 'Deny',
    NotAction: ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
    Resource: [bucket, `${bucket}/*`],
  };
}

/** Where deletion is protected, what holds data is deleted by an administrator or not at all. */
function denyDeletion(): Statement {
  return {
    Sid: 'DataStays',
    Effect: 'Deny',
    Action: [
      'glue:DeleteDatabase',
      'kms:ScheduleKeyDeletion',
      'rds:DeleteDBInstance',
      'redshift-serverless:DeleteNamespace',
      's3:DeleteBucket',
      'secretsmanager:DeleteSecret',
    ],
    Resource: ['*'],
  };
}
