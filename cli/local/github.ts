/** Stands for GitHub, whose tokens let a workflow's job act as a pipeline's role: locally too, a deploy has no other rights. */
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Environment } from '../../envs/environment';
import { names, OIDC_ISSUER, roleArn } from '../../modules/naming';

const HOUR_S = 3600;

/** A job of a workflow, as GitHub's token tells it, and the role that it acts as. */
export interface Job {
  /** For example "pull_request", "ref:refs/heads/main" or "environment:dev". */
  readonly context: string;
  readonly role: string;
}

/** The job that deploys to an environment. */
export function deployJob({ name }: Environment): Job {
  return { context: `environment:${name}`, role: names.access.apply };
}

/** A job's credentials, as the variables in which AWS's SDKs and Terraform look for them. */
export async function credentialsOf(job: Job, environment: Environment): Promise<Record<string, string>> {
  const { Credentials } = await new STSClient({ region: environment.region }).send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleArn(environment, job.role),
      RoleSessionName: 'workflow',
      WebIdentityToken: token(`repo:${environment.repository}:${job.context}`),
    }),
  );
  return {
    AWS_ACCESS_KEY_ID: Credentials!.AccessKeyId!,
    AWS_SECRET_ACCESS_KEY: Credentials!.SecretAccessKey!,
    AWS_SESSION_TOKEN: Credentials!.SessionToken!,
  };
}

/** A JSON Web Token without a signature: nothing but the emulator believes it. */
function token(subject: string): string {
  const claims = {
    iss: `https://${OIDC_ISSUER}`,
    aud: 'sts.amazonaws.com',
    sub: subject,
    exp: Math.floor(Date.now() / 1000) + HOUR_S,
  };
  return [{ alg: 'none', typ: 'JWT' }, claims, ''].map(encoded).join('.');
}

function encoded(part: object | string): string {
  return part === '' ? '' : Buffer.from(JSON.stringify(part)).toString('base64url');
}
