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
  ...each(['glue:UpdateTable', 's3:PutObject', 's3:DeleteObject', 'kms:GenerateDataKey'], {
    role: 'trackman-maintain',
    resource: '*',
    reason: 'there is nothing to compact or to expire in a lake of some minutes',
  }),
  {
    role: 'trackman-publish',
    action: 'glue:GetDatabase',
    resource: '*database/trackman_raw',
    reason: 'part of reading definitions; it looks up tables only',
  },
  // Analysts and Redshift
  ...each(['glue:GetTable', 's3:GetObject'], {
    role: '*',
    resource: '*marts/*',
    reason: 'there is no mart yet',
  }),
  { role: '*', action: 'glue:GetTable', resource: '*database/trackman_marts', reason: 'there is no mart yet' },
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
