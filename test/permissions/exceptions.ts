import type { Exception } from './permissions';

/** One exception for each action. */
function each(actions: readonly string[], common: Omit<Exception, 'action'>): Exception[] {
  return actions.map((action) => ({ action, ...common }));
}

/** One exception for each of the roles. */
function eachRole(roles: readonly string[], common: Omit<Exception, 'role'>): Exception[] {
  return roles.map((role) => ({ role, ...common }));
}

const CRAWLER_OPERATIONS = [
  ...['GetDatabase', 'GetTable', 'UpdateTable', 'GetPartition', 'BatchGetPartition', 'CreatePartition'],
  ...['UpdatePartition', 'BatchUpdatePartition', 'DeletePartition', 'BatchDeletePartition'],
].map((operation) => `glue:${operation}`);

const UPKEEP_OF_MINUTES = 'in a lake of some minutes only marts have something to compact';

/** What is granted though the end-to-end run does not need it. One that explains nothing any more fails the tests. */
export const exceptions: readonly Exception[] = [
  // Glue itself
  {
    role: '*',
    action: 'logs:CreateLogGroup',
    resource: '*',
    reason: "Terraform makes the groups first; AWS's own policy for Glue (AWSGlueServiceRole) has it all the same",
  },
  ...each(['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:AssociateKmsKey'], {
    role: '*',
    resource: '*python-jobs/*/error:*',
    reason: 'a Python job that succeeds writes nothing there',
  }),
  ...eachRole(['trackman-ingest-files', 'trackman-maintain', 'trackman-publish'], {
    action: 'cloudwatch:PutMetricData',
    resource: '*',
    reason: "Glue's own metrics of a run: the emulator makes none",
  }),
  {
    role: '*',
    action: 'ec2:DeleteTags',
    resource: '*',
    reason: 'AWSGlueServiceRole has it; on the emulator a tag goes with its network interface',
  },
  {
    role: '*',
    action: 's3:ListBucket',
    resource: 'arn:aws:s3:::trackman-artifacts-*',
    reason: 'AWS documents it for what a job reads (AWSGlueServiceRole); the emulator fetches scripts by their keys',
  },
  // The crawler: AWS says that it needs AWSGlueServiceRole, which is all of Glue, and not which calls it makes.
  ...each(CRAWLER_OPERATIONS, {
    role: 'trackman-crawler',
    resource: '*',
    reason: "what AWS's crawler may do to keep tables and partitions, when a source or a feed changes",
  }),
  // Jobs
  {
    role: '*',
    action: 's3:AbortMultipartUpload',
    resource: '*',
    reason: 'only when an upload in parts fails',
  },
  {
    role: 'trackman-ingest',
    action: 's3:DeleteObject',
    resource: '*',
    reason: 'files of a commit that failed, and metadata files from the 51st on',
  },
  {
    role: 'trackman-ingest-files',
    action: 's3:DeleteObject',
    resource: '*/raw/*',
    reason: 'files of a commit that failed, and metadata files from the 51st on',
  },
  {
    role: 'trackman-ingest',
    action: 'glue:StartJobRun',
    resource: '*job/snapshot',
    reason: 'no table of the demo is that large',
  },
  ...each(['ssm:GetParameter', 'secretsmanager:GetSecretValue'], {
    role: 'trackman-snapshot',
    resource: '*/clubs*',
    reason: 'the run copies a table of another source',
  }),
  ...each(['glue:GetDatabase', 'glue:CreateTable', 's3:DeleteObject'], {
    role: 'trackman-snapshot',
    resource: '*',
    reason: 'the run copies a table anew that is there; a new one is made, and files of a failed commit go',
  }),
  ...each(['glue:UpdateTable', 's3:PutObject'], {
    role: 'trackman-snapshot',
    resource: '*raw*',
    reason: 'nothing of the demo has to be set aside',
  }),
  ...['raw', 'lake'].flatMap((database) => [
    {
      role: 'trackman-maintain',
      action: 'glue:UpdateTable',
      resource: `*/trackman_${database}*`,
      reason: UPKEEP_OF_MINUTES,
    },
    { role: 'trackman-maintain', action: 's3:PutObject', resource: `*/${database}/*`, reason: UPKEEP_OF_MINUTES },
  ]),
  {
    role: 'trackman-maintain',
    action: 's3:DeleteObject',
    resource: '*',
    reason: 'nothing is old enough to be removed',
  },
  {
    role: 'trackman-publish',
    action: 's3:DeleteObject',
    resource: '*marts/*',
    reason: 'files of a commit that failed, and metadata files from the 51st on',
  },
  {
    role: 'trackman-publish',
    action: 'glue:GetDatabase',
    resource: '*database/trackman_raw',
    reason: 'part of reading definitions; it looks up tables only',
  },
  // Analysts and Redshift
  ...['lake', 'marts'].map((database) => ({
    role: 'trackman-analyst',
    action: 'glue:GetDatabase',
    resource: `*database/trackman_${database}`,
    reason: 'Athena documents it for the database of a query; the emulator looks up the table only',
  })),
  {
    role: 'trackman-spectrum',
    action: 'glue:GetTables',
    resource: '*',
    reason: "for Redshift's views of external tables, which the emulator does not have",
  },
  ...eachRole(['trackman-spectrum', 'trackman-analyst'], {
    action: 's3:ListBucket',
    resource: '*',
    reason: 'Athena and Redshift Spectrum document it for what they read; of Iceberg tables they know the files',
  }),
  {
    role: 'trackman-analyst',
    action: 's3:ListMultipartUploadParts',
    resource: '*',
    reason: 'Athena documents it for large results',
  },
  {
    role: 'trackman-analyst',
    action: 'redshift-data:CancelStatement',
    resource: '*',
    reason: 'no statement of the run takes long enough to be cancelled',
  },
];

const NO_NAT = 'dev has no NAT gateway';
const NO_SUBSCRIBERS = 'the alarms of dev tell nobody';
const APPLY = { role: 'trackman-apply', resource: '*' };
/** Several operations of one service. */
const of = (service: string, operations: readonly string[]): string[] =>
  operations.map((operation) => `${service}:${operation}`);

/** An action that nothing needed, on a resource that nothing needed. */
function actionAndResource(action: string, resource: string, reason: string): Exception[] {
  return [
    { ...APPLY, action, reason },
    { ...APPLY, action: '*', resource, reason },
  ];
}

/**
 * The same of the pipelines' roles, for the run over the environments (test/e2e/environments.test.ts): actions that
 * nothing needed on any resource, resources that nothing needed at all.
 */
export const pipelineExceptions: readonly Exception[] = [
  ...each(
    [
      ...of('athena', ['UpdateNamedQuery', 'UpdatePreparedStatement', 'UpdateWorkGroup']),
      ...of('ec2', ['ModifySecurityGroupRules', 'ModifyVpcEndpoint', 'ReplaceRoute', 'ReplaceRouteTableAssociation']),
      ...of('glue', ['StartTrigger', 'StopTrigger']),
      ...['Classifier', 'Connection', 'Crawler', 'Database', 'Job', 'Trigger', 'Workflow'].map(
        (kind) => `glue:Update${kind}`,
      ),
      ...of('iam', ['CreatePolicyVersion', 'DeletePolicyVersion', 'PutRolePermissionsBoundary']),
      ...of('iam', ['UpdateAssumeRolePolicy', 'UpdateRoleDescription']),
      ...of('kms', ['PutKeyPolicy', 'UpdateAlias', 'UpdateKeyDescription']),
      ...of('logs', ['AssociateKmsKey', 'DeleteRetentionPolicy', 'DisassociateKmsKey']),
      ...of('rds', ['ModifyDBInstance', 'ModifyDBSubnetGroup', 'ResetDBParameterGroup']),
      ...of('redshift-serverless', ['UpdateNamespace', 'UpdateUsageLimit', 'UpdateWorkgroup']),
      'sns:SetSubscriptionAttributes',
    ],
    { ...APPLY, reason: 'updates happen when a commit changes more than its tag' },
  ),
  ...each(
    [
      ...['athena', 'budgets', 'cloudwatch', 'events', 'glue', 'kms', 'logs', 'redshift-serverless', 'secretsmanager'],
      'sns',
    ].map((service) => `${service}:UntagResource`),
    { ...APPLY, reason: 'tags are taken away when the environment names fewer' },
  ),
  ...each(['ec2:DeleteTags', 'iam:UntagPolicy', 'iam:UntagRole', 'rds:RemoveTagsFromResource'], {
    ...APPLY,
    reason: 'tags are taken away when the environment names fewer',
  }),
  ...['Describe*Address*', 'DescribeInternetGateways', 'DescribeNatGateways'].flatMap((operations) =>
    eachRole(['trackman-plan', 'trackman-apply'], { action: `ec2:${operations}`, resource: '*', reason: NO_NAT }),
  ),
  ...each(of('ec2', ['DeleteInternetGateway', 'DeleteNatGateway', 'DetachInternetGateway', 'ReleaseAddress']), {
    ...APPLY,
    reason: NO_NAT,
  }),
  ...['elastic-ip', 'internet-gateway', 'natgateway'].map((kind) => ({
    role: 'trackman-apply',
    action: '*',
    resource: `arn:aws:ec2:*:${kind}/*`,
    reason: NO_NAT,
  })),
  ...eachRole(['trackman-plan', 'trackman-apply'], {
    action: 'sns:GetSubscriptionAttributes',
    resource: '*',
    reason: NO_SUBSCRIBERS,
  }),
  ...each(['sns:Subscribe', 'sns:Unsubscribe'], { ...APPLY, reason: NO_SUBSCRIBERS }),
  // What AWS asks for in the name of whoever applies, and the emulator does not.
  ...actionAndResource(
    'iam:CreateServiceLinkedRole',
    '*role/aws-service-role/*',
    'by the first database of an account; the emulator has no roles of services',
  ),
  ...actionAndResource(
    'route53:AssociateVPCWithHostedZone',
    'arn:aws:route53:::hostedzone/*',
    'AWS documents it for the private names of interface endpoints',
  ),
  ...each(['logs:CreateLogDelivery', 'logs:DeleteLogDelivery'], {
    ...APPLY,
    reason: 'AWS documents it for flow logs',
  }),
  ...actionAndResource(
    'secretsmanager:RotateSecret',
    '*secret:rds!db-*',
    'AWS documents it for who makes and changes a database whose password RDS keeps',
  ),
];
