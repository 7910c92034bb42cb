/** What the owners of sources keep for the platform. Of secrets only that they exist, never a value. */
import {
  DescribeSecretCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { Environment } from '../../envs/environment';
import { ownerPaths } from '../../modules/naming';
import { resolveContracts, withDatabases } from '../../sources/contract';
import { findings, good, wrong, type Finding } from './finding';
import { address, certificates, checkParameter, range, vpcId } from './parameters';

export async function checkOwners(environment: Environment): Promise<readonly Finding[]> {
  const { region } = environment;
  const sources = withDatabases(resolveContracts(environment)).flatMap(({ source, connection }) => {
    const { urlParameter, caParameter, secret } = connection;
    const remedy = `the owners of ${source} put it there`;
    return [
      checkParameter(region, urlParameter, address, remedy),
      checkParameter(region, caParameter, certificates, remedy),
      checkSecret(region, secret, remedy),
    ];
  });
  const peers = environment.network.peerings.flatMap(({ ownerFolder }) => {
    const { vpc, cidr } = ownerPaths(environment, ownerFolder);
    const remedy = `the owners of ${ownerFolder} put it there`;
    return [checkParameter(region, vpc, vpcId, remedy), checkParameter(region, cidr, range, remedy)];
  });
  return (await Promise.all([...sources, ...peers])).flat();
}

async function checkSecret(region: string, name: string, remedy: string): Promise<readonly Finding[]> {
  const subject = `secret ${name}`;
  const complain = (found: string): Finding =>
    wrong(subject, { found, expected: 'a secret with a current value, {"username", "password"}', remedy });
  return findings(subject, async () => {
    try {
      const { DeletedDate, VersionIdsToStages } = await new SecretsManagerClient({ region }).send(
        new DescribeSecretCommand({ SecretId: name }),
      );
      if (DeletedDate) return complain(`to be deleted, since ${DeletedDate.toISOString().slice(0, 10)}`);
      const isSet = Object.values(VersionIdsToStages ?? {}).some((stages) => stages.includes('AWSCURRENT'));
      return isSet ? good(subject, 'has a current value, which was not read') : complain('has no current value');
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return complain('missing');
      throw error;
    }
  });
}
