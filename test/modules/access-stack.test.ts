import { environments } from '../../envs';
import { dev } from '../../envs/dev';
import { defineEnvironment, type Environment } from '../../envs/environment';
import { prod } from '../../envs/prod';
import { allow, LIMITS, limitedPolicy } from '../../modules/policy';
import { synthesize, synthesizeAccess, type Statement } from './synthesized';

const BOUNDARY = 'arn:aws:iam::111111111111:policy/trackman-boundary';

const access = synthesizeAccess(dev);
const inExistingVpc = defineEnvironment({
  name: 'dev',
  account: '111111111111',
  deletionProtection: false,
  network: {
    existing: {
      vpcId: 'vpc-0123456789abcdef0',
      subnetIds: ['a', 'b', 'c'].map((zone) => `subnet-0123456789abcdef${zone}`),
      routeTableIds: ['rtb-0123456789abcdef0'],
    },
  },
});

function statements(role: string, effect: string, of = access): Statement[] {
  return of.permissions(role).filter(({ Effect }) => Effect === effect);
}

/** The resources on which a role may do something. */
function resourcesOf(role: string, action: string): string[] {
  return statements(role, 'Allow')
    .filter(({ Action }) => Action.includes(action))
    .flatMap(({ Resource }) => Resource);
}

function denial(role: string, id: string, of = access): Statement | undefined {
  return statements(role, 'Deny', of).find((each) => (each as unknown as { Sid: string }).Sid === id);
}

describe.each(environments)('the access stack of $name', (environment) => {
  const stack = synthesizeAccess(environment);
  const { name, account } = environment;

  test('keeps its state beside the platform’s, under a pinned key', () => {
    const keys = {
      dev: 'trackman-access-dev/terraform.tfstate',
      staging: 'trackman-access-staging/terraform.tfstate',
      prod: 'trackman-access-prod/terraform.tfstate',
    };
    const platform = synthesize(environment);
    const { s3 } = stack.terraform['backend'] as { s3: object };
    expect(s3).toMatchObject({ key: keys[name as keyof typeof keys], use_lockfile: true });
    expect({ ...s3, key: '' }).toEqual({ ...(platform.terraform['backend'] as { s3: object }).s3, key: '' });
    expect(stack.provider).toEqual(platform.provider);
  });

  test('names nothing of another environment: its pipelines can do nothing there', () => {
    const traces = ({ name, account }: Environment): RegExp =>
      new RegExp(`${account}|-${name}\\b|/${name}/|:${name}\\b`);
    const text = JSON.stringify(stack);
    expect(text).toMatch(traces(environment));
    for (const other of environments.filter((each) => each !== environment)) expect(text).not.toMatch(traces(other));
  });

  test('trusts jobs of one repository, told exactly by their tokens', () => {
    const trusted = (role: string): unknown =>
      (JSON.parse(stack.one('aws_iam_role', role)['assume_role_policy'] as string) as { Statement: unknown[] })
        .Statement;
    const by = (...contexts: string[]): unknown => [
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRoleWithWebIdentity',
        Principal: { Federated: expect.stringContaining('aws_iam_openid_connect_provider') },
        Condition: {
          StringEquals: {
            'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
            'token.actions.githubusercontent.com:sub': contexts.map(
              (context) => `repo:trackman/data-platform:${context}`,
            ),
          },
        },
      },
    ];
    expect(trusted('trackman-plan')).toEqual(by('pull_request', 'ref:refs/heads/main'));
    expect(trusted('trackman-apply')).toEqual(by(`environment:${name}`));
    expect(stack.one('aws_iam_openid_connect_provider')).toEqual({
      url: 'https://token.actions.githubusercontent.com',
      client_id_list: ['sts.amazonaws.com'],
    });
  });

  test('names this environment’s account only, and no action by a wildcard', () => {
    for (const role of ['trackman-plan', 'trackman-apply']) {
      for (const { Action, Resource } of statements(role, 'Allow', stack)) {
        for (const action of Action) expect(action).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
        for (const resource of Resource) {
          expect(resource).toMatch(
            new RegExp(`^\\*$|:${account}:|^arn:aws:s3:::trackman-[\\w*]+-${name}-${account}|^arn:aws:route53:::`),
          );
        }
      }
    }
  });

  test('attaches no more policies to a role than IAM takes', () => {
    expect(stack.all('aws_iam_role_policy_attachment').length).toBeLessThanOrEqual(10);
  });
});

describe('the plan role', () => {
  test('writes nothing but the locks of the two states', () => {
    const locks = ['trackman-dev', 'trackman-access-dev'].map(
      (stack) => `arn:aws:s3:::trackman-state-dev-111111111111/${stack}/terraform.tfstate.tflock`,
    );
    expect(resourcesOf('trackman-plan', 's3:PutObject')).toEqual(locks);
    expect(resourcesOf('trackman-plan', 's3:DeleteObject')).toEqual(locks);
    const actions = statements('trackman-plan', 'Allow').flatMap(({ Action }) => Action);
    expect(
      actions.filter((action) => !/:(Get|List|Describe|View)|^kms:Decrypt$|^s3:(Put|Delete)Object$/.test(action)),
    ).toEqual([]);
  });

  test('reads states and artifacts, and nothing of the lake or of secrets', () => {
    expect(resourcesOf('trackman-plan', 's3:GetObject').map((each) => each.split(':::')[1])).toEqual([
      'trackman-state-dev-111111111111/trackman-dev/terraform.tfstate',
      'trackman-state-dev-111111111111/trackman-access-dev/terraform.tfstate',
      'trackman-state-dev-111111111111/trackman-dev/terraform.tfstate.tflock',
      'trackman-state-dev-111111111111/trackman-access-dev/terraform.tfstate.tflock',
      'trackman-artifacts-dev-111111111111/*',
    ]);
    expect(resourcesOf('trackman-plan', 'ssm:GetParameter')).toEqual([
      'arn:aws:ssm:eu-central-1:111111111111:parameter/trackman/dev/*',
    ]);
    expect(denial('trackman-plan', 'NoSecretValues')).toMatchObject({
      Action: [
        'secretsmanager:BatchGetSecretValue',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecret',
        'secretsmanager:UpdateSecretVersionStage',
      ],
      Resource: ['*'],
    });
    expect(statements('trackman-plan', 'Allow').find(({ Action }) => Action.includes('kms:Decrypt'))).toMatchObject({
      Condition: {
        StringEquals: {
          'aws:ResourceTag/platform': 'trackman',
          'kms:ViaService': ['glue.eu-central-1.amazonaws.com', 's3.eu-central-1.amazonaws.com'],
        },
      },
    });
  });
});

describe('the apply role', () => {
  test('may do whatever the plan role may with the platform', () => {
    // The states' locks, and who vouches for the pipelines: it plans their stack, too.
    const own = (resource: string): boolean => /trackman-state-|:oidc-provider\//.test(resource);
    for (const { Action, Resource } of statements('trackman-plan', 'Allow')) {
      if (Resource.some(own)) continue;
      for (const action of Action)
        expect(resourcesOf('trackman-apply', action)).toEqual(expect.arrayContaining(Resource));
    }
  });

  test('writes the platform’s state and not its own stack’s', () => {
    const state = 'arn:aws:s3:::trackman-state-dev-111111111111/trackman-dev/terraform.tfstate';
    expect(resourcesOf('trackman-apply', 's3:PutObject').filter((each) => each.includes('state'))).toEqual([
      `${state}.tflock`,
      state,
    ]);
    expect(denial('trackman-apply', 'StateBucketStays')).toMatchObject({
      NotAction: ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
      Resource: ['arn:aws:s3:::trackman-state-dev-111111111111', 'arn:aws:s3:::trackman-state-dev-111111111111/*'],
    });
  });

  test('changes neither the pipelines’ roles, nor their policies, nor who vouches for them', () => {
    expect(denial('trackman-apply', 'NotItsOwnAccess')).toMatchObject({
      NotAction: ['iam:Get*', 'iam:List*'],
      Resource: [
        'arn:aws:iam::111111111111:role/trackman-plan',
        'arn:aws:iam::111111111111:role/trackman-apply',
        'arn:aws:iam::111111111111:policy/trackman-access-*',
        BOUNDARY,
        'arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com',
      ],
    });
  });

  test('makes and fills roles of the platform within the boundary only, and passes them to the services that act by them', () => {
    for (const action of [
      'iam:CreateRole',
      'iam:PutRolePolicy',
      'iam:AttachRolePolicy',
      'iam:PutRolePermissionsBoundary',
    ]) {
      const allowing = statements('trackman-apply', 'Allow').filter(({ Action }) => Action.includes(action));
      expect(allowing).toMatchObject([
        {
          Resource: ['arn:aws:iam::111111111111:role/trackman-*'],
          Condition: { StringEquals: { 'iam:PermissionsBoundary': BOUNDARY } },
        },
      ]);
    }
    expect(statements('trackman-apply', 'Allow').flatMap(({ Action }) => Action)).not.toContain(
      'iam:DeleteRolePermissionsBoundary',
    );
    const passing = statements('trackman-apply', 'Allow').filter(({ Action }) => Action.includes('iam:PassRole'));
    expect(passing).toMatchObject([
      {
        Resource: ['arn:aws:iam::111111111111:role/trackman-*'],
        Condition: { StringEquals: { 'iam:PassedToService': expect.arrayContaining(['glue.amazonaws.com']) } },
      },
    ]);
  });

  test('reads no secret but that by which Redshift’s Data API connects', () => {
    expect(denial('trackman-apply', 'NoSecretValues')).toMatchObject({
      NotResource: ['arn:aws:secretsmanager:eu-central-1:111111111111:secret:redshift!*'],
    });
    expect(resourcesOf('trackman-apply', 'secretsmanager:GetSecretValue')).toEqual([
      'arn:aws:secretsmanager:eu-central-1:111111111111:secret:redshift!*',
    ]);
  });

  test('writes no value of a secret: the migration does, as a role of its own', () => {
    const writing = ['PutSecretValue', 'UpdateSecret', 'UpdateSecretVersionStage'].map(
      (each) => `secretsmanager:${each}`,
    );
    for (const action of writing) expect(resourcesOf('trackman-apply', action)).toEqual([]);
    expect(denial('trackman-apply', 'NoSecretValues')?.Action).toEqual(expect.arrayContaining(writing));
  });

  test('tags in EC2 what it creates, what has the tag, and the group that a VPC brings with it', () => {
    const tagging = (of = access): unknown[] =>
      statements('trackman-apply', 'Allow', of)
        .filter(({ Action }) => Action.includes('ec2:CreateTags'))
        .map(({ Resource, Condition }) => [Resource.length > 1 ? 'all' : Resource[0], Condition]);
    const creating = expect.arrayContaining(['CreateVpc', 'CreateVpcEndpoint', 'AuthorizeSecurityGroupIngress']);
    const given = { 'aws:RequestTag/platform': 'trackman' };
    const whileCreating = ['all', { StringEquals: { ...given, 'ec2:CreateAction': creating } }];
    const tagged = ['all', { StringEquals: { 'aws:ResourceTag/platform': 'trackman' } }];
    const group = 'arn:aws:ec2:eu-central-1:111111111111:security-group/*';
    expect(tagging()).toEqual([whileCreating, tagged, [group, { StringEquals: given }]]);
    // In a VPC of others no group is anybody's default but theirs.
    expect(tagging(synthesizeAccess(inExistingVpc))).toEqual([expect.anything(), tagged]);
  });

  test('tags keys that carry the platform’s tag already, and those that no alias tells to be of others', () => {
    const tagging = statements('trackman-apply', 'Allow').filter(({ Action }) => Action.includes('kms:TagResource'));
    expect(tagging.map(({ Condition }) => Condition)).toEqual([
      {
        StringEquals: { 'aws:RequestTag/platform': 'trackman' },
        'ForAllValues:StringLike': { 'kms:ResourceAliases': 'alias/trackman*' },
      },
      { StringEquals: { 'aws:ResourceTag/platform': 'trackman' } },
    ]);
  });

  test('makes what the environment’s network consists of, and no way to the internet that it does not have', () => {
    const makes = (environment: Environment): string[] =>
      statements('trackman-apply', 'Allow', synthesizeAccess(environment))
        .flatMap(({ Action }) => Action)
        .filter((action) =>
          /^ec2:(Create(Vpc$|Subnet|NatGateway|InternetGateway|VpcPeering)|AllocateAddress)/.test(action),
        );
    const peered = ['ec2:CreateSubnet', 'ec2:CreateVpc', 'ec2:CreateVpcPeeringConnection'];
    const way = ['ec2:AllocateAddress', 'ec2:CreateInternetGateway', 'ec2:CreateNatGateway'];
    expect([...new Set(makes(dev))].sort()).toEqual(peered);
    const withNat = { ...dev, network: { ...dev.network, nat: true } };
    expect([...new Set(makes(withNat))].sort()).toEqual([...peered, ...way].sort());
    expect(makes({ ...inExistingVpc, network: { ...inExistingVpc.network, peerings: [] } })).toEqual([]);
  });

  test('makes instances with the default options of their engine', () => {
    expect(resourcesOf('trackman-apply', 'rds:CreateDBInstance')).toContain(
      'arn:aws:rds:eu-central-1:111111111111:og:default:postgres-*',
    );
  });

  test('starts no job but the migration', () => {
    expect(resourcesOf('trackman-apply', 'glue:StartJobRun')).toEqual([
      'arn:aws:glue:eu-central-1:111111111111:job/migrate',
    ]);
  });

  test('what EC2 and KMS know by identifiers only is told by the platform’s tag', () => {
    for (const { Action, Condition } of statements('trackman-apply', 'Allow')) {
      const untagged = Action.filter(
        (action) =>
          /^(ec2|kms):/.test(action) &&
          !/:(Describe|Get|List|Revoke)/.test(action) &&
          !/"aws:(Request|Resource)Tag\/platform":"trackman"/.test(JSON.stringify(Condition ?? {})),
      );
      // An alias is known by its name; of a peering the other end is its owners'.
      expect(untagged.filter((action) => !/Alias$|VpcPeeringConnection$/.test(action))).toEqual([]);
    }
  });

  test('deletes nothing that holds data where deletion is protected', () => {
    const deletions = [
      'glue:DeleteDatabase',
      'kms:ScheduleKeyDeletion',
      'rds:DeleteDBInstance',
      'redshift-serverless:DeleteNamespace',
      's3:DeleteBucket',
      'secretsmanager:DeleteSecret',
    ];
    expect(denial('trackman-apply', 'DataStays', synthesizeAccess(prod))).toMatchObject({
      Action: deletions,
      Resource: ['*'],
    });
    expect(denial('trackman-apply', 'DataStays')).toBeUndefined();
  });
});

describe('the boundary', () => {
  const allowed = (
    JSON.parse(access.one('aws_iam_policy', 'trackman-boundary')['policy'] as string) as {
      Statement: Statement[];
    }
  ).Statement;

  test.each(environments)('is every role’s of the platform of $name', (environment) => {
    const boundaries = synthesize(environment)
      .all('aws_iam_role')
      .map((role) => role['permissions_boundary'] as string);
    expect(new Set(boundaries)).toEqual(new Set([`arn:aws:iam::${environment.account}:policy/trackman-boundary`]));
  });

  test('allows every action that a role of the platform is granted', () => {
    const platform = synthesize(dev);
    const patterns = allowed.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action);
    const granted = platform
      .names('aws_iam_role')
      .flatMap((role) => platform.permissions(role))
      .flatMap(({ Action }) => Action);
    expect(granted.length).toBeGreaterThan(0);
    expect(granted.filter((action) => !patterns.some((pattern) => matches(pattern, action)))).toEqual([]);
  });

  test('lets nobody become or make another, or touch the state', () => {
    const actions = allowed.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action);
    expect(actions.filter((action) => /^(iam|sts|organizations|account|\*)/.test(action))).toEqual([]);
    expect(allowed).toContainEqual({
      Effect: 'Deny',
      Action: ['s3:*'],
      Resource: ['arn:aws:s3:::trackman-state-dev-111111111111', 'arn:aws:s3:::trackman-state-dev-111111111111/*'],
    });
  });
});

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}

test('a policy that IAM would find too long is refused at synth', () => {
  const long = [allow(['s3:GetObject'], ['x'.repeat(LIMITS.managed)])];
  expect(() => limitedPolicy('p', long, 'managed')).toThrow('length of policy p is');
  expect(limitedPolicy('p', long, 'inline')).toContain('s3:GetObject');
});

test.each(['data-platform', 'https://github.com/a/b', 'a/b:environment:prod', 'a/*', 'a@x/b'])(
  'a repository cannot be %j',
  (repository) => {
    expect(() => defineEnvironment({ name: 'dev', account: '111111111111', repository })).toThrow(
      `repository of environment dev is ${JSON.stringify(repository)}: expected a GitHub repository`,
    );
  },
);

test('a repository may be named with its immutable ids', () => {
  const stack = synthesizeAccess({ ...dev, repository: 'trackman@12/data-platform@345' });
  expect(stack.one('aws_iam_role', 'trackman-apply')['assume_role_policy']).toContain(
    '"repo:trackman@12/data-platform@345:environment:dev"',
  );
});
