/**
 * What the pipelines do to an account, by area: what a plan reads, and what an apply does beyond that. Scoped to the
 * platform's own names where a service knows names, to its tag where it knows tags only, and to account and region
 * everywhere else: nothing but the platform lives in an environment's account.
 */
import type { Environment } from '../../envs/environment';
import * as naming from '../naming';
import { arn, names } from '../naming';
import { allow, allowUnscoped, type Conditions, type Statement } from '../policy';

export interface Area {
  /** Ends the name of its policy. */
  readonly name: string;
  /** What a plan needs: descriptions, never contents. */
  readonly read: readonly Statement[];
  /** What an apply needs beyond that. */
  readonly write: readonly Statement[];
}

/** @param connections names of the Glue connections to the sources */
export function areas(environment: Environment, connections: readonly string[]): Area[] {
  return [
    storage(environment),
    secrets(environment),
    catalog(environment, connections),
    jobs(environment),
    queries(environment),
    databases(environment),
    network(environment),
    watching(environment),
    identities(environment),
  ];
}

/** Tags by which the platform's resources are told from others. */
const tag = (kind: 'RequestTag' | 'ResourceTag'): Conditions => ({
  StringEquals: { [`aws:${kind}/platform`]: names.platform },
});
const TAGGED = tag('ResourceTag');
const BEING_TAGGED = tag('RequestTag');

/** Where a service knows no resources: this region, at least. */
const within = ({ region }: Environment): Conditions => ({ StringEquals: { 'aws:RequestedRegion': region } });

function storage(environment: Environment): Area {
  const buckets = [naming.bucketArns(environment)];
  const artifacts = `arn:aws:s3:::${naming.artifactsBucket(environment)}`;
  return {
    name: 'storage',
    read: [
      allow(
        [
          's3:ListBucket',
          's3:GetAccelerateConfiguration',
          's3:GetBucketAcl',
          's3:GetBucketCORS',
          's3:GetBucketLogging',
          's3:GetBucketNotification',
          's3:GetBucketObjectLockConfiguration',
          's3:GetBucketOwnershipControls',
          's3:GetBucketPolicy',
          's3:GetBucketPublicAccessBlock',
          's3:GetBucketRequestPayment',
          's3:GetBucketTagging',
          's3:GetBucketVersioning',
          's3:GetBucketWebsite',
          's3:GetEncryptionConfiguration',
          's3:GetLifecycleConfiguration',
          's3:GetReplicationConfiguration',
        ],
        buckets,
      ),
      allow(['s3:GetObject', 's3:GetObjectTagging'], [`${artifacts}/*`]),
    ],
    write: [
      allow(
        [
          's3:CreateBucket',
          's3:DeleteBucket',
          's3:DeleteBucketPolicy',
          's3:PutBucketLogging',
          's3:PutBucketNotification',
          's3:PutBucketOwnershipControls',
          's3:PutBucketPolicy',
          's3:PutBucketPublicAccessBlock',
          's3:PutBucketTagging',
          's3:PutBucketVersioning',
          's3:PutEncryptionConfiguration',
          's3:PutLifecycleConfiguration',
        ],
        buckets,
      ),
      // What jobs run. The lake's objects are the jobs' business: a bucket that holds any is not the pipeline's to empty.
      allow(['s3:ListBucketVersions'], [artifacts]),
      allow(['s3:PutObject', 's3:PutObjectTagging', 's3:DeleteObject', 's3:DeleteObjectVersion'], [`${artifacts}/*`]),
    ],
  };
}

function secrets(environment: Environment): Area {
  const { name } = environment;
  const { loader, application } = naming.servingSecrets(environment);
  // A secret that is being created has no suffix yet.
  const secrets = [loader, application, naming.pepperSecret(environment)].map((each) =>
    arn('secretsmanager', environment, `secret:${each}*`),
  );
  // RDS and Redshift keep the passwords of their administrators there, in the name of whoever creates the database.
  const managed = ['rds!db-*', 'redshift!*'].map((each) => arn('secretsmanager', environment, `secret:${each}`));
  const keys = [arn('kms', environment, 'key/*')];
  const aliases = [arn('kms', environment, 'alias/trackman*')];
  return {
    name: 'secrets',
    read: [
      allow(['secretsmanager:DescribeSecret', 'secretsmanager:GetResourcePolicy'], secrets),
      allow(['ssm:GetParameter'], [naming.parameterArn(environment, `/trackman/${name}/*`)]),
      allowUnscoped(['kms:ListAliases'], within(environment)),
      allow(['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:GetKeyRotationStatus', 'kms:ListResourceTags'], keys),
      // The metadata of artifacts and of the catalog, where the platform's key encrypts them.
      allow(['kms:Decrypt'], keys, {
        StringEquals: {
          ...TAGGED['StringEquals'],
          'kms:ViaService': ['glue', 's3'].map((service) => `${service}.${environment.region}.amazonaws.com`),
        },
      }),
    ],
    write: [
      // No UpdateSecret: it changes the description and the key, but the value as well, and no condition tells which.
      allow(
        [
          'secretsmanager:CreateSecret',
          'secretsmanager:DeleteSecret',
          'secretsmanager:TagResource',
          'secretsmanager:UntagResource',
        ],
        secrets,
      ),
      allow(
        [
          'secretsmanager:CreateSecret',
          'secretsmanager:DescribeSecret',
          'secretsmanager:RotateSecret',
          'secretsmanager:TagResource',
        ],
        managed,
      ),
      allowUnscoped(['kms:CreateKey'], BEING_TAGGED),
      // KMS tells a key that is being created from one that is there by nothing but this: it has no alias yet. So a key
      // of others that has one does not become the platform's.
      allowUnscoped(['kms:TagResource'], {
        ...BEING_TAGGED,
        'ForAllValues:StringLike': { 'kms:ResourceAliases': 'alias/trackman*' },
      }),
      allow(
        [
          'kms:CreateAlias',
          'kms:DeleteAlias',
          'kms:EnableKeyRotation',
          'kms:PutKeyPolicy',
          'kms:ScheduleKeyDeletion',
          'kms:TagResource',
          'kms:UntagResource',
          'kms:UpdateAlias',
          'kms:UpdateKeyDescription',
        ],
        keys,
        TAGGED,
      ),
      allow(['kms:CreateAlias', 'kms:DeleteAlias', 'kms:UpdateAlias'], aliases),
      // What is created encrypted is encrypted in the creator's name, and RDS asks for a grant of its own.
      allow(['kms:Decrypt', 'kms:GenerateDataKey'], keys, TAGGED),
      allow(['kms:CreateGrant'], keys, { ...TAGGED, Bool: { 'kms:GrantIsForAWSResource': 'true' } }),
    ],
  };
}

function glueArns(environment: Environment, kind: string, named: Iterable<string>): string[] {
  return [...named].map((name) => arn('glue', environment, `${kind}/${name}`));
}

const changesOf = (kind: string): string[] => ['Create', 'Delete', 'Update'].map((verb) => `glue:${verb}${kind}`);
const TAGGING = ['glue:TagResource', 'glue:UntagResource'];

function catalog(environment: Environment, connectionsToSources: readonly string[]): Area {
  const catalog = arn('glue', environment, 'catalog');
  const databaseNames = Object.values(names.databases);
  const databases = glueArns(environment, 'database', databaseNames);
  const inDatabases = ['table', 'userDefinedFunction'].flatMap((kind) =>
    glueArns(
      environment,
      kind,
      databaseNames.map((name) => `${name}/*`),
    ),
  );
  const connections = glueArns(environment, 'connection', [...connectionsToSources, names.glue.networkConnection]);
  const crawlers = glueArns(environment, 'crawler', [names.crawler]);
  const byGrants = environment.lakeFormation === 'grants';
  return {
    name: 'catalog',
    read: [
      allow(['glue:GetConnection', 'glue:GetDataCatalogEncryptionSettings', 'glue:GetDatabase'], [catalog]),
      allow(['glue:GetDatabase', 'glue:GetTags'], databases),
      allow(['glue:GetConnection', 'glue:GetTags'], connections),
      allow(['glue:GetCrawler', 'glue:GetTags'], crawlers),
      allowUnscoped(
        [
          'glue:GetClassifier',
          'glue:GetSecurityConfiguration',
          'lakeformation:GetDataLakeSettings',
          ...(byGrants ? ['lakeformation:ListPermissions'] : []),
        ],
        within(environment),
      ),
    ],
    write: [
      allow(['glue:PutDataCatalogEncryptionSettings'], [catalog]),
      allow(['glue:CreateDatabase', 'glue:UpdateDatabase'], [catalog, ...databases]),
      // With a database goes all that is in it.
      allow(['glue:DeleteDatabase'], [catalog, ...databases, ...inDatabases]),
      allow(changesOf('Connection'), [catalog, ...connections]),
      allow(changesOf('Crawler'), crawlers),
      allow(TAGGING, [...databases, ...connections, ...crawlers]),
      allowUnscoped(
        [
          'glue:CreateClassifier',
          'glue:CreateSecurityConfiguration',
          'glue:DeleteClassifier',
          'glue:DeleteSecurityConfiguration',
          'glue:UpdateClassifier',
          'lakeformation:PutDataLakeSettings',
          ...(byGrants ? ['lakeformation:GrantPermissions', 'lakeformation:RevokePermissions'] : []),
        ],
        within(environment),
      ),
    ],
  };
}

function jobs(environment: Environment): Area {
  const { landing, monitoring } = names;
  const jobs = glueArns(environment, 'job', [...Object.values(names.jobs), monitoring.freshness.job]);
  const workflows = glueArns(environment, 'workflow', [names.workflow, landing.workflow]);
  const triggers = glueArns(environment, 'trigger', [
    ...Object.values(names.triggers),
    landing.trigger,
    monitoring.freshness.schedule,
  ]);
  return {
    name: 'jobs',
    read: [
      allow(['glue:GetJob', 'glue:GetTags'], jobs),
      allow(['glue:GetTags', 'glue:GetWorkflow'], workflows),
      allow(['glue:GetTags', 'glue:GetTrigger'], triggers),
    ],
    write: [
      allow([...changesOf('Job'), ...TAGGING], jobs),
      allow([...changesOf('Workflow'), ...TAGGING], workflows),
      allow([...changesOf('Trigger'), 'glue:StartTrigger', 'glue:StopTrigger', ...TAGGING], triggers),
      // Every deploy runs the migration.
      allow(['glue:StartJobRun', 'glue:GetJobRun'], glueArns(environment, 'job', [names.jobs.migrate])),
    ],
  };
}

function queries(environment: Environment): Area {
  const workgroups = Object.values(names.workgroups).map((name) => arn('athena', environment, `workgroup/${name}`));
  return {
    name: 'queries',
    read: [
      allow(
        ['athena:GetNamedQuery', 'athena:GetPreparedStatement', 'athena:GetWorkGroup', 'athena:ListTagsForResource'],
        workgroups,
      ),
    ],
    write: [
      allow(
        [
          'athena:CreateNamedQuery',
          'athena:CreatePreparedStatement',
          'athena:CreateWorkGroup',
          'athena:DeleteNamedQuery',
          'athena:DeletePreparedStatement',
          'athena:DeleteWorkGroup',
          'athena:TagResource',
          'athena:UntagResource',
          'athena:UpdateNamedQuery',
          'athena:UpdatePreparedStatement',
          'athena:UpdateWorkGroup',
        ],
        workgroups,
      ),
    ],
  };
}

function databases(environment: Environment): Area {
  const named = (kind: string): string => arn('rds', environment, `${kind}:${names.serving.identifier}*`);
  const groups = ['pg', 'subgrp'].map(named);
  // Their ARNs end in an identifier that AWS chooses.
  const redshift = ['namespace', 'workgroup'].map((kind) => arn('redshift-serverless', environment, `${kind}/*`));
  const redshiftSecret = [arn('secretsmanager', environment, 'secret:redshift!*')];
  return {
    name: 'databases',
    read: [
      allow(
        [
          'rds:DescribeDBParameterGroups',
          'rds:DescribeDBParameters',
          'rds:DescribeDBSubnetGroups',
          'rds:ListTagsForResource',
        ],
        groups,
      ),
      allow(['rds:DescribeDBInstances'], [arn('rds', environment, 'db:*')]),
      allow(
        [
          'redshift-serverless:GetNamespace',
          'redshift-serverless:GetWorkgroup',
          'redshift-serverless:ListTagsForResource',
        ],
        redshift,
      ),
      allowUnscoped(['redshift-data:DescribeStatement', 'redshift-serverless:GetUsageLimit'], within(environment)),
    ],
    write: [
      allow(
        [
          'rds:AddTagsToResource',
          'rds:CreateDBInstance',
          'rds:CreateDBParameterGroup',
          'rds:CreateDBSubnetGroup',
          'rds:DeleteDBInstance',
          'rds:DeleteDBParameterGroup',
          'rds:DeleteDBSubnetGroup',
          'rds:ModifyDBInstance',
          'rds:ModifyDBParameterGroup',
          'rds:ModifyDBSubnetGroup',
          'rds:RemoveTagsFromResource',
          'rds:ResetDBParameterGroup',
        ],
        [named('db'), ...groups],
      ),
      // An instance that names no option group gets the default one of its engine, and RDS asks about that, too.
      allow(['rds:CreateDBInstance'], [arn('rds', environment, 'og:default:postgres-*')]),
      allow(
        [
          'redshift-data:ExecuteStatement',
          'redshift-serverless:CreateNamespace',
          'redshift-serverless:CreateWorkgroup',
          'redshift-serverless:DeleteNamespace',
          'redshift-serverless:DeleteWorkgroup',
          'redshift-serverless:TagResource',
          'redshift-serverless:UntagResource',
          'redshift-serverless:UpdateNamespace',
          'redshift-serverless:UpdateWorkgroup',
        ],
        redshift,
      ),
      allowUnscoped(
        [
          'redshift-serverless:CreateUsageLimit',
          'redshift-serverless:DeleteUsageLimit',
          'redshift-serverless:UpdateUsageLimit',
        ],
        within(environment),
      ),
      // The Data API connects in the caller's name: the statements that make the external schemas need it.
      allow(['secretsmanager:GetSecretValue'], redshiftSecret),
    ],
  };
}

/** The network of others, which carries no tag of ours: the other end of a peering, and a VPC that was there before. */
function notOurs(environment: Environment): Statement[] {
  const { existing, peerings } = environment.network;
  const named = (kind: string, ids: readonly string[]): string[] =>
    ids.map((id) => arn('ec2', environment, `${kind}/${id}`));
  const statements: Statement[] = [];
  // Who asks for a peering is asked about the own VPC, who accepts it about the other.
  if (peerings.length > 0) statements.push(allow(['ec2:AcceptVpcPeeringConnection'], named('vpc', ['*'])));
  // A new VPC brings its default group with it, which Terraform empties and tags: no condition tells it from others.
  if (!existing) statements.push(allow(['ec2:CreateTags'], named('security-group', ['*']), BEING_TAGGED));
  if (existing) {
    const inside = ['ec2:CreateRoute', 'ec2:CreateSecurityGroup', 'ec2:CreateVpcEndpoint', 'ec2:ModifyVpcEndpoint'];
    statements.push(
      allow(
        [...inside, 'ec2:DeleteRoute', 'ec2:ReplaceRoute'],
        [
          ...named('vpc', [existing.vpcId]),
          ...named('subnet', existing.subnetIds),
          ...named('route-table', existing.routeTableIds),
        ],
      ),
    );
  }
  return statements;
}

const NETWORK_TYPES = [
  'elastic-ip',
  'natgateway',
  'internet-gateway',
  'route-table',
  'security-group',
  'security-group-rule',
  'subnet',
  'vpc',
  'vpc-endpoint',
  'vpc-flow-log',
  'vpc-peering-connection',
];

function network(environment: Environment): Area {
  const resources = NETWORK_TYPES.map((type) => arn('ec2', environment, `${type}/*`));
  const { existing, nat, peerings } = environment.network;
  // What the environment's network consists of, and no more: a way to the internet takes an administrator.
  const creating = [
    'AuthorizeSecurityGroupEgress',
    'AuthorizeSecurityGroupIngress',
    'CreateSecurityGroup',
    'CreateVpcEndpoint',
    ...(existing ? [] : ['CreateFlowLogs', 'CreateRouteTable', 'CreateSubnet', 'CreateVpc']),
    ...(nat ? ['AllocateAddress', 'CreateInternetGateway', 'CreateNatGateway'] : []),
    ...(peerings.length > 0 ? ['CreateVpcPeeringConnection'] : []),
  ];
  const actions = creating.map((operation) => `ec2:${operation}`);
  const whileCreating = { StringEquals: { ...BEING_TAGGED['StringEquals'], 'ec2:CreateAction': creating } };
  return {
    name: 'network',
    read: [
      allowUnscoped(
        [
          'ec2:DescribeAddresses',
          'ec2:DescribeAddressesAttribute',
          'ec2:DescribeFlowLogs',
          'ec2:DescribeInternetGateways',
          'ec2:DescribeNatGateways',
          'ec2:DescribeNetworkAcls',
          'ec2:DescribeNetworkInterfaces',
          'ec2:DescribePrefixLists',
          'ec2:DescribeRouteTables',
          'ec2:DescribeSecurityGroupRules',
          'ec2:DescribeSecurityGroups',
          'ec2:DescribeSubnets',
          'ec2:DescribeVpcEndpoints',
          'ec2:DescribeVpcPeeringConnections',
          'ec2:DescribeVpcs',
        ],
        within(environment),
      ),
      allow(['ec2:DescribeVpcAttribute'], [arn('ec2', environment, 'vpc/*')]),
    ],
    write: [
      // EC2 knows a resource by an identifier of its own: what is created must carry the tag, what is changed carries it.
      allow(actions, resources, BEING_TAGGED),
      allow(['ec2:CreateTags'], resources, whileCreating),
      allow(
        [
          ...actions,
          'ec2:AcceptVpcPeeringConnection',
          'ec2:AssociateRouteTable',
          ...(nat ? ['ec2:AttachInternetGateway'] : []),
          'ec2:CreateRoute',
          'ec2:CreateTags',
          'ec2:DeleteFlowLogs',
          'ec2:DeleteInternetGateway',
          'ec2:DeleteNatGateway',
          'ec2:DeleteRoute',
          'ec2:DeleteRouteTable',
          'ec2:DeleteSecurityGroup',
          'ec2:DeleteSubnet',
          'ec2:DeleteTags',
          'ec2:DeleteVpc',
          'ec2:DeleteVpcEndpoints',
          'ec2:DeleteVpcPeeringConnection',
          'ec2:DetachInternetGateway',
          'ec2:DisassociateRouteTable',
          'ec2:ModifySecurityGroupRules',
          'ec2:ModifyVpcAttribute',
          'ec2:ModifyVpcEndpoint',
          'ec2:ReleaseAddress',
          'ec2:ReplaceRoute',
          'ec2:ReplaceRouteTableAssociation',
          'ec2:RevokeSecurityGroupEgress',
          'ec2:RevokeSecurityGroupIngress',
        ],
        resources,
        TAGGED,
      ),
      ...notOurs(environment),
      // The rule that a new group has of its own carries no tag; the group does.
      allow(
        ['ec2:RevokeSecurityGroupEgress', 'ec2:RevokeSecurityGroupIngress'],
        [arn('ec2', environment, 'security-group-rule/*')],
      ),
      // Flow logs are delivered by CloudWatch Logs, whichever place they go to.
      allowUnscoped(['logs:CreateLogDelivery', 'logs:DeleteLogDelivery'], within(environment)),
      // An interface endpoint answers to the service's own name: in a private zone that AWS keeps for the VPC.
      allow(['route53:AssociateVPCWithHostedZone'], ['arn:aws:route53:::hostedzone/*']),
    ],
  };
}

function watching(environment: Environment): Area {
  const { account } = environment;
  const alarms = [
    arn('cloudwatch', environment, 'alarm:trackman-*'),
    `arn:aws:cloudwatch::${account}:dashboard/trackman*`,
  ];
  const groups = [arn('logs', environment, 'log-group:*')];
  const rules = [arn('events', environment, 'rule/trackman-*')];
  const topics = [arn('sns', environment, 'trackman-*')];
  const budgets = [`arn:aws:budgets::${account}:budget/trackman*`];
  return {
    name: 'watching',
    read: [
      // Enough for metric alarms. Composite ones, of which there are none, are shown only to those who may see all.
      allow(['cloudwatch:DescribeAlarms', 'cloudwatch:GetDashboard', 'cloudwatch:ListTagsForResource'], alarms),
      allow(['logs:DescribeLogGroups', 'logs:ListTagsForResource'], groups),
      allow(['events:DescribeRule', 'events:ListTagsForResource', 'events:ListTargetsByRule'], rules),
      allow(['sns:GetSubscriptionAttributes', 'sns:GetTopicAttributes', 'sns:ListTagsForResource'], topics),
      allow(['budgets:ViewBudget', 'budgets:ListTagsForResource'], budgets),
    ],
    write: [
      allow(
        [
          'cloudwatch:DeleteAlarms',
          'cloudwatch:DeleteDashboards',
          'cloudwatch:PutDashboard',
          'cloudwatch:PutMetricAlarm',
          'cloudwatch:TagResource',
          'cloudwatch:UntagResource',
        ],
        alarms,
      ),
      allow(
        [
          'logs:AssociateKmsKey',
          'logs:CreateLogGroup',
          'logs:DeleteLogGroup',
          'logs:DeleteRetentionPolicy',
          'logs:DisassociateKmsKey',
          'logs:PutRetentionPolicy',
          'logs:TagResource',
          'logs:UntagResource',
        ],
        groups,
      ),
      allow(
        [
          'events:DeleteRule',
          'events:PutRule',
          'events:PutTargets',
          'events:RemoveTargets',
          'events:TagResource',
          'events:UntagResource',
        ],
        rules,
      ),
      allow(
        [
          'sns:CreateTopic',
          'sns:DeleteTopic',
          'sns:SetSubscriptionAttributes',
          'sns:SetTopicAttributes',
          'sns:Subscribe',
          'sns:TagResource',
          'sns:Unsubscribe',
          'sns:UntagResource',
        ],
        topics,
      ),
      allow(['budgets:ModifyBudget', 'budgets:TagResource', 'budgets:UntagResource'], budgets),
    ],
  };
}

/** AWS services that act by a role of the platform. */
const ACTING_SERVICES = [
  'events.amazonaws.com',
  'glue.amazonaws.com',
  'lakeformation.amazonaws.com',
  'monitoring.rds.amazonaws.com',
  'rds.amazonaws.com',
  'redshift-serverless.amazonaws.com',
  'redshift.amazonaws.com',
  'vpc-flow-logs.amazonaws.com',
];

/** Those that want a role of their own in the account before the first use. */
const LINKED_SERVICES = ['rds.amazonaws.com', 'redshift.amazonaws.com'];

function identities(environment: Environment): Area {
  const roles = [naming.roleArn(environment, 'trackman-*')];
  const policies = [naming.policyArn(environment, 'trackman-*')];
  return {
    name: 'identities',
    read: [
      allow(['iam:GetRole', 'iam:GetRolePolicy', 'iam:ListAttachedRolePolicies', 'iam:ListRolePolicies'], roles),
      allow(['iam:GetPolicy', 'iam:GetPolicyVersion'], policies),
    ],
    write: [
      // A role may be made and filled only within the boundary: nobody gets more by the pipeline than it allows.
      allow(
        [
          'iam:AttachRolePolicy',
          'iam:CreateRole',
          'iam:DeleteRolePolicy',
          'iam:DetachRolePolicy',
          'iam:PutRolePermissionsBoundary',
          'iam:PutRolePolicy',
        ],
        roles,
        { StringEquals: { 'iam:PermissionsBoundary': naming.boundaryArn(environment) } },
      ),
      // For these IAM offers no such condition. Whoever is let into a role gets what its boundary allows, no more.
      allow(
        [
          'iam:DeleteRole',
          'iam:ListInstanceProfilesForRole',
          'iam:TagRole',
          'iam:UntagRole',
          'iam:UpdateAssumeRolePolicy',
          'iam:UpdateRoleDescription',
        ],
        roles,
      ),
      allow(['iam:PassRole'], roles, { StringEquals: { 'iam:PassedToService': ACTING_SERVICES } }),
      allow(
        [
          'iam:CreatePolicy',
          'iam:CreatePolicyVersion',
          'iam:DeletePolicy',
          'iam:DeletePolicyVersion',
          'iam:ListPolicyVersions',
          'iam:TagPolicy',
          'iam:UntagPolicy',
        ],
        policies,
      ),
      allow(['iam:CreateServiceLinkedRole'], [`arn:aws:iam::${environment.account}:role/aws-service-role/*`], {
        StringEquals: { 'iam:AWSServiceName': LINKED_SERVICES },
      }),
    ],
  };
}
