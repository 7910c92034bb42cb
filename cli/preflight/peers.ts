/** The sources' VPCs: whether they are what their owners say. */
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { Environment } from '../../envs/environment';
import { ownerPaths } from '../../modules/naming';
import { findings, good, told, wrong, type Finding } from './finding';
import { range, readWellFormed, vpcId as idOfVpc } from './parameters';
import { contains } from '../../modules/ranges';
import { findVpc, rangesOf } from './vpcs';

/** As its owners describe it; what they keep malformed or not at all is undefined, and told with the parameters. */
export interface Peer {
  readonly folder: string;
  readonly vpcId: string | undefined;
  readonly cidr: string | undefined;
  /** AWS account. */
  readonly account: string;
}

export async function readPeers(environment: Environment): Promise<Peer[]> {
  const { region, network } = environment;
  return Promise.all(
    network.peerings.map(async ({ ownerFolder: folder, account = environment.account }) => {
      const parameters = ownerPaths(environment, folder);
      const [vpcId, cidr] = await Promise.all([
        readWellFormed(region, parameters.vpc, idOfVpc),
        readWellFormed(region, parameters.cidr, range),
      ]);
      return { folder, vpcId, cidr, account };
    }),
  );
}

export async function checkPeers(ec2: EC2Client, environment: Environment): Promise<readonly Finding[]> {
  return findings('peer VPCs', async () => {
    const peers = await readPeers(environment);
    return (await Promise.all(peers.map((peer) => checkPeer(ec2, environment, peer)))).flat();
  });
}

async function checkPeer(ec2: EC2Client, environment: Environment, peer: Peer): Promise<readonly Finding[]> {
  const { folder, vpcId, cidr, account } = peer;
  if (vpcId === undefined) return [];
  const subject = `peer VPC ${vpcId} of ${folder}`;
  if (account !== environment.account) {
    const found = `in account ${account}, where these credentials see nothing`;
    const remedy = `the owners of ${folder} accept the peering once it was asked for`;
    return [told(subject, { found, expected: 'a VPC there', remedy })];
  }
  return findings(subject, async () => {
    const { vpc: vpcParameter, cidr: cidrParameter } = ownerPaths(environment, folder);
    const complain = (found: string): Finding =>
      wrong(subject, {
        found,
        expected: `a VPC in ${environment.region} that holds ${cidr ?? 'the range that its owners name'}`,
        remedy: `the owners of ${folder} correct ${vpcParameter} or ${cidrParameter}`,
      });
    const vpc = await findVpc(ec2, vpcId);
    if (!vpc) return complain('missing');
    const ranges = rangesOf(vpc);
    if (cidr !== undefined && !ranges.some((each) => contains(each, cidr))) return complain(ranges.join(', '));
    return good(subject, ranges.join(', '));
  });
}
