import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Environment } from '../../envs/environment';
import { InputError } from '../errors';

/** @throws InputError when the credentials are of another account than the environment's */
export async function requireAccount({ name, account, region }: Environment): Promise<void> {
  const { Account, Arn } = await new STSClient({ region }).send(new GetCallerIdentityCommand({}));
  if (Account === account) return;
  throw new InputError(
    `credentials are of account ${Account} (${Arn}): expected account ${account}, which is environment ${name}'s; ` +
      'use credentials of that account',
  );
}
