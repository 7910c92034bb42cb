/** Whether a VPC that is there already is what the network needs; see `network.existing` of an environment. */
import {
  DescribeRouteTablesCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  type EC2Client,
  type RouteTable,
  type Subnet,
} from '@aws-sdk/client-ec2';
import type { Environment } from '../../envs/environment';
import { findings, good, wrong, type Finding } from './finding';
import { findVpc } from './vpcs';

/** What each subnet is asked for at most: Glue's workers, endpoints, databases and the warehouse take their addresses. */
const FREE_ADDRESSES = 32;

type Existing = NonNullable<Environment['network']['existing']>;

/** Nothing to find for a VPC of its own. */
export async function checkExisting(ec2: EC2Client, environment: Environment): Promise<readonly Finding[]> {
  const { name, region, network } = environment;
  if (!network.existing) return [];
  const zones = network.zones.map((letter) => `${region}${letter}`);
  const remedy = `the VPC's owners change it, or you name others in network.existing of envs/${name}.ts`;
  const found = await Promise.all([
    checkVpc(ec2, network.existing, remedy),
    checkSubnets(ec2, network.existing, zones, remedy),
    checkRouteTables(ec2, network.existing, remedy),
  ]);
  return found.flat();
}

async function checkVpc(ec2: EC2Client, { vpcId }: Existing, remedy: string): Promise<readonly Finding[]> {
  const subject = `VPC ${vpcId}`;
  const expected = 'a VPC with DNS support and DNS hostnames on';
  return findings(subject, async () => {
    if (!(await findVpc(ec2, vpcId))) return wrong(subject, { found: 'missing', expected, remedy });
    const attribute = (Attribute: 'enableDnsSupport' | 'enableDnsHostnames') =>
      ec2.send(new DescribeVpcAttributeCommand({ VpcId: vpcId, Attribute }));
    const [support, hostnames] = await Promise.all([attribute('enableDnsSupport'), attribute('enableDnsHostnames')]);
    const isOn = (on: boolean | undefined): string => (on ? 'on' : 'off');
    const found = `DNS support ${isOn(support.EnableDnsSupport?.Value)}, hostnames ${isOn(hostnames.EnableDnsHostnames?.Value)}`;
    return found.includes('off') ? wrong(subject, { found, expected, remedy }) : good(subject, found);
  });
}

async function checkSubnets(
  ec2: EC2Client,
  { vpcId, subnetIds }: Existing,
  zones: readonly string[],
  remedy: string,
): Promise<readonly Finding[]> {
  return findings('subnets', async () => {
    const { Subnets } = await ec2.send(
      new DescribeSubnetsCommand({ Filters: [{ Name: 'subnet-id', Values: [...subnetIds] }] }),
    );
    return subnetIds.map((id, index) => {
      const subnet = Subnets?.find(({ SubnetId }) => SubnetId === id);
      return judgeSubnet(id, subnet, { vpcId, zone: zones[index]! }, remedy);
    });
  });
}

/** Whether a subnet is private, in its place and has room. */
export function judgeSubnet(
  id: string,
  subnet: Subnet | undefined,
  wanted: { vpcId: string; zone: string },
  remedy: string,
): Finding {
  const { vpcId, zone } = wanted;
  const subject = `subnet ${id}`;
  const expected = `a subnet of ${vpcId} in ${zone} that gives no public addresses and has ${FREE_ADDRESSES} free ones`;
  if (!subnet) return wrong(subject, { found: 'missing', expected, remedy });
  const { VpcId, AvailabilityZone, MapPublicIpOnLaunch, AvailableIpAddressCount = 0 } = subnet;
  const fits =
    VpcId === vpcId && AvailabilityZone === zone && !MapPublicIpOnLaunch && AvailableIpAddressCount >= FREE_ADDRESSES;
  const kind = MapPublicIpOnLaunch ? 'gives public addresses' : 'private';
  const found = `of ${VpcId} in ${AvailabilityZone}, ${kind}, ${AvailableIpAddressCount} free addresses`;
  return fits ? good(subject, found) : wrong(subject, { found, expected, remedy });
}

async function checkRouteTables(
  ec2: EC2Client,
  { vpcId, subnetIds, routeTableIds }: Existing,
  remedy: string,
): Promise<readonly Finding[]> {
  return findings('route tables', async () => {
    const { RouteTables } = await ec2.send(
      new DescribeRouteTablesCommand({ Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }),
    );
    return judgeRouteTables(RouteTables ?? [], { subnetIds, routeTableIds }, remedy);
  });
}

/** Whether the tables that are named are those which the subnets use; `tables` are all of the VPC's. */
export function judgeRouteTables(
  tables: readonly RouteTable[],
  named: Pick<Existing, 'subnetIds' | 'routeTableIds'>,
  remedy: string,
): Finding {
  const used = new Set(named.subnetIds.map((id) => routeTableOf(id, tables) ?? `none for ${id}`));
  const subject = `route tables ${named.routeTableIds.join(', ')}`;
  const found = `the subnets use ${[...used].join(', ')}`;
  const wanted = new Set(named.routeTableIds);
  const isSame = used.size === wanted.size && [...used].every((id) => wanted.has(id));
  return isSame ? good(subject, found) : wrong(subject, { found, expected: 'exactly these', remedy });
}

/** The subnet's own, or the VPC's main one. */
function routeTableOf(subnetId: string, tables: readonly RouteTable[]): string | undefined {
  const associations = tables.flatMap(({ Associations }) => Associations ?? []);
  const own = associations.find(({ SubnetId }) => SubnetId === subnetId) ?? associations.find(({ Main }) => Main);
  return own?.RouteTableId;
}
