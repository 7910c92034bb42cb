import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Environment } from '../../envs/environment';
import { InputError } from '../errors';

/** @throws InputError when there are no credentials, or they are of another account than the environment's */
export async function requireAccount({ name, account, region }: Environment): Promise<void> {
  const identity = await new STSClient({ region }).send(new GetCallerIdentityCommand({})).catch((error: Error) => {
    if (error.name === 'CredentialsProviderError') return undefined;
    throw error;
  });
  if (identity?.Account === account) return;
  const found = identity ? `of account ${identity.Account} (${identity.Arn})` : 'missing';
  throw new InputError(
    `AWS credentials are ${found}: expected those of account ${account}, which is environment ${name}'s; ` +
      'set AWS_PROFILE, or whatever else AWS clients take them from',
  );
}
