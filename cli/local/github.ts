/** Stands for GitHub, whose tokens let a workflow's job act as a pipeline's role: locally too, a deploy has no other rights. */
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Environment } from '../../envs/environment';
import { names, OIDC_ISSUER, roleArn } from '../../modules/naming';

const HOUR_S = 3600;

/** Credentials of a deploy's job, as the variables in which AWS's SDKs and Terraform look for them. */
export async function deployCredentials(environment: Environment): Promise<Record<string, string>> {
  const { repository, name, region } = environment;
  const { Credentials } = await new STSClient({ region }).send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleArn(environment, names.access.apply),
      RoleSessionName: 'deploy',
      WebIdentityToken: token(`repo:${repository}:environment:${name}`),
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
