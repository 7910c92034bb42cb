/** Whose credentials they are. Every other question would be put to the wrong account. */
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Environment } from '../../envs/environment';
import { findings, good, wrong, type Finding } from './finding';

export async function checkCredentials({ name, account, region }: Environment): Promise<readonly Finding[]> {
  const subject = 'credentials';
  return findings(subject, async () => {
    const { Account, Arn } = await new STSClient({ region }).send(new GetCallerIdentityCommand({}));
    if (Account === account) return good(subject, `${Arn}, account ${account}`);
    return wrong(subject, {
      found: `${Arn}, account ${Account}`,
      expected: `account ${account}, which is ${name}'s`,
      remedy: `you use credentials of ${account}; if ${name} moved, set account in envs/${name}.ts`,
    });
  });
}
