/** Whether the network can be built where the environment wants it, and reach the sources' VPCs. */
import { DescribeAvailabilityZonesCommand, EC2Client } from '@aws-sdk/client-ec2';
import type { Environment } from '../../envs/environment';
import { checkExisting } from './existing-vpc';
import { findings, good, wrong, type Finding } from './finding';
import { checkPeers, readPeers } from './peers';
import { overlap } from '../../modules/ranges';
import { findVpc, rangesOf } from './vpcs';

/** Address ranges and whose they are. */
export interface Ranges {
  readonly of: string;
  readonly cidrs: readonly string[];
}

export async function checkNetwork(environment: Environment): Promise<readonly Finding[]> {
  const ec2 = new EC2Client({ region: environment.region });
  const found = await Promise.all([
    checkZones(ec2, environment),
    checkExisting(ec2, environment),
    checkPeers(ec2, environment),
    checkRanges(ec2, environment),
  ]);
  return found.flat();
}

async function checkZones(ec2: EC2Client, { name, region, network }: Environment): Promise<readonly Finding[]> {
  const subject = 'availability zones';
  const wanted = network.zones.map((letter) => `${region}${letter}`);
  return findings(subject, async () => {
    const { AvailabilityZones } = await ec2.send(new DescribeAvailabilityZonesCommand({}));
    const available = (AvailabilityZones ?? []).filter(({ State }) => State === 'available');
    const offered = available.map(({ ZoneName }) => ZoneName!);
    if (wanted.every((zone) => offered.includes(zone))) return good(subject, wanted.join(', '));
    return wrong(subject, {
      found: `the account has ${offered.join(', ')}`,
      expected: wanted.join(', '),
      remedy: `you name others in network.zones of envs/${name}.ts`,
    });
  });
}

async function checkRanges(ec2: EC2Client, environment: Environment): Promise<readonly Finding[]> {
  const { name, network } = environment;
  const remedy = network.existing
    ? `you name another VPC in network.existing of envs/${name}.ts, or its owners give it another range`
    : `you choose another network.cidr in envs/${name}.ts`;
  return findings('address ranges', async () => {
    const peers = (await readPeers(environment)).flatMap(({ folder, cidr }) =>
      cidr === undefined ? [] : [{ of: folder, cidrs: [cidr] }],
    );
    return compareRanges({ of: 'the platform', cidrs: await ownRanges(ec2, environment) }, peers, remedy);
  });
}

/**
 * A finding for each two that must be apart: VPCs with a common address cannot be peered, and routes could not tell
 * two such peers from each other.
 * @param remedy what is done when it is the platform's own range
 */
export function compareRanges(own: Ranges, peers: readonly Ranges[], remedy: string): Finding[] {
  const all = [own, ...peers].filter(({ cidrs }) => cidrs.length > 0);
  return all.flatMap((one, index) =>
    all.slice(index + 1).map((other) => {
      const subject = `address ranges of ${one.of} and ${other.of}`;
      const found = `${one.cidrs.join(', ')} and ${other.cidrs.join(', ')}`;
      if (!one.cidrs.some((a) => other.cidrs.some((b) => overlap(a, b)))) return good(subject, `${found} are apart`);
      return wrong(subject, {
        found: `${found} overlap`,
        expected: 'no common address',
        remedy: one === own ? remedy : `the owners of ${one.of} or of ${other.of} choose another`,
      });
    }),
  );
}

async function ownRanges(ec2: EC2Client, { network }: Environment): Promise<string[]> {
  if (!network.existing) return [network.cidr!];
  const vpc = await findVpc(ec2, network.existing.vpcId);
  return vpc ? rangesOf(vpc) : []; // that it is missing is another finding
}
