/** Runs a packaged query as an analyst: under the analysts' role, in their workgroup, with bound parameters. */
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { encodeLiteral } from '../athena-queries/literal';
import type { PackagedQuery } from '../athena-queries/packaged-query';
import type { Environment } from '../envs/environment';
import { names, roleArn } from '../modules/naming';
import { runStatement, type QueryResult } from './aws/athena';

/** Every parameter takes its documented default. */
export async function runPackagedQuery(environment: Environment, query: PackagedQuery): Promise<QueryResult> {
  const { region } = environment;
  const { Credentials } = await new STSClient({ region }).send(
    new AssumeRoleCommand({ RoleArn: roleArn(environment, names.roles.analyst), RoleSessionName: 'packaged-query' }),
  );
  const credentials = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  return runStatement(
    { region, credentials },
    {
      sql: query.sql,
      parameters: query.parameters.map((parameter) => encodeLiteral(parameter.type, parameter.default)),
      database: names.databases.lake,
      workgroup: names.workgroups.analysts,
    },
  );
}
