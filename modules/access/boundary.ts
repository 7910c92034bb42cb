import type { Environment } from '../../envs/environment';
import * as naming from '../naming';
import { arn } from '../naming';
import { allow, type Statement } from '../policy';

/**
 * The most that a role of the platform can be allowed, whatever its own policies say: the contents that the platform
 * works on, and nothing that would let a role make, change or become another. It grants nothing by itself.
 */
export function boundary(environment: Environment): Statement[] {
  const { name } = environment;
  const buckets = naming.bucketArns(environment);
  const state = `arn:aws:s3:::${naming.stateBucket(environment)}`;
  return [
    allow(['s3:*'], [buckets, `${buckets}/*`]),
    { Effect: 'Deny', Action: ['s3:*'], Resource: [state, `${state}/*`] },
    allow(['glue:*'], [arn('glue', environment, '*')]),
    allow(['athena:*'], [arn('athena', environment, '*')]),
    allow(['logs:*'], [arn('logs', environment, 'log-group:*')]),
    allow(
      ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
      [`trackman/${name}/*`, 'rds!db-*', 'redshift!*'].map((each) =>
        arn('secretsmanager', environment, `secret:${each}`),
      ),
    ),
    allow(
      ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:GetParametersByPath'],
      [naming.parameterArn(environment, `/trackman/${name}/*`)],
    ),
    allow(
      ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*'],
      [arn('kms', environment, 'key/*')],
    ),
    allow(['sns:Publish'], [arn('sns', environment, 'trackman-*')]),
    allow(['rds:DescribeDBInstances'], [arn('rds', environment, 'db:*')]),
    allow(['rds-db:connect'], [arn('rds-db', environment, 'dbuser:*')]),
    allow(
      ['redshift-serverless:GetCredentials', 'redshift-serverless:GetWorkgroup', 'redshift-data:*'],
      [arn('redshift-serverless', environment, '*')],
    ),
    // Glue looks at the VPC and puts network interfaces into it in the job's name, and tags them.
    allow(['ec2:DescribeVpcAttribute'], [arn('ec2', environment, 'vpc/*')]),
    allow(
      ['ec2:CreateNetworkInterface', 'ec2:CreateTags', 'ec2:DeleteNetworkInterface', 'ec2:DeleteTags'],
      [arn('ec2', environment, '*')],
    ),
    // Services that know no resources for these.
    allow(
      [
        'cloudwatch:GetMetricData',
        'cloudwatch:GetMetricStatistics',
        'cloudwatch:ListMetrics',
        'cloudwatch:PutMetricData',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeRouteTables',
        'ec2:DescribeSecurityGroups',
        'ec2:DescribeSubnets',
        'ec2:DescribeVpcEndpoints',
        'lakeformation:GetDataAccess',
        'redshift-data:DescribeStatement',
        'redshift-data:GetStatementResult',
      ],
      ['*'],
    ),
  ];
}
