/** Whether a VPC that is there already is what the network needs; see `network.existing` of an environment. */
import {
  DescribeRouteTablesCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcEndpointsCommand,
  type EC2Client,
  type RouteTable,
  type Subnet,
  type VpcEndpoint,
} from '@aws-sdk/client-ec2';
import type { Environment } from '../../envs/environment';
import { names } from '../../modules/naming';
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
    checkS3Gateway(ec2, environment, network.existing),
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

async function checkS3Gateway(
  ec2: EC2Client,
  { name, region }: Environment,
  existing: Existing,
): Promise<readonly Finding[]> {
  return findings('gateway of S3', async () => {
    const service = `com.amazonaws.${region}.s3`;
    const { VpcEndpoints } = await ec2.send(
      new DescribeVpcEndpointsCommand({
        Filters: [
          { Name: 'vpc-id', Values: [existing.vpcId] },
          { Name: 'service-name', Values: [service] },
        ],
      }),
    );
    return judgeS3Gateway(VpcEndpoints ?? [], existing, `network.existing.s3GatewayId of envs/${name}.ts`);
  });
}

/**
 * Whether the one that is named is there, for every route table, and otherwise that no table has one but the platform's
 * own: AWS refuses a second route to the same addresses.
 * @param endpoints all of the VPC's to S3
 * @param setting where the environment names it
 */
export function judgeS3Gateway(
  endpoints: readonly VpcEndpoint[],
  { routeTableIds, s3GatewayId }: Pick<Existing, 'routeTableIds' | 's3GatewayId'>,
  setting: string,
): Finding {
  const gateways = endpoints.filter(({ VpcEndpointType, State }) => VpcEndpointType === 'Gateway' && isThere(State));
  if (s3GatewayId === undefined) {
    const subject = `gateway of S3 for ${routeTableIds.join(', ')}`;
    const taken = gateways.find(
      (gateway) => !isOurs(gateway) && gateway.RouteTableIds?.some((id) => routeTableIds.includes(id)),
    );
    if (!taken) return good(subject, 'none but the platform’s own');
    return wrong(subject, {
      found: `${taken.VpcEndpointId} is there, for ${taken.RouteTableIds!.join(', ')}`,
      expected: 'none, as the environment names none',
      remedy: `you name it in ${setting}`,
    });
  }
  const subject = `gateway of S3 ${s3GatewayId}`;
  const expected = `a gateway of S3 in the VPC, for the route tables ${routeTableIds.join(', ')}`;
  const named = gateways.find(({ VpcEndpointId }) => VpcEndpointId === s3GatewayId);
  if (!named) return wrong(subject, { found: 'missing', expected, remedy: `you name another in ${setting}` });
  const without = routeTableIds.filter((id) => !named.RouteTableIds?.includes(id));
  if (without.length === 0) return good(subject, `is there, for ${routeTableIds.join(', ')}`);
  const remedy = "the VPC's owners add these route tables to it";
  return wrong(subject, { found: `is not for ${without.join(', ')}`, expected, remedy });
}

/** AWS tells of an endpoint for some time after it is gone. */
function isThere(state: string | undefined): boolean {
  return !/^delet/i.test(state ?? '');
}

/** Whether the platform made it, by an earlier apply. */
function isOurs({ Tags }: VpcEndpoint): boolean {
  return Tags?.some(({ Key, Value }) => Key === 'platform' && Value === names.platform) ?? false;
}
