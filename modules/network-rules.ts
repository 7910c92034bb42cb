/** What a network's values must be: by themselves, and among each other. */
import { areDifferent, isId, isPort, isRangeBetween } from './limits';
import type { Rule } from './validation';

/** A VPC that is there already. */
export interface ExistingVpc {
  readonly vpcId: string;
  /** A private subnet in each of the network's zones, in their order. */
  readonly subnetIds: readonly string[];
  /** The subnets' route tables: they learn the way to S3 and to peers. */
  readonly routeTableIds: readonly string[];
  /** The VPC's own gateway endpoint of S3, which these route tables lead to. @default one is made */
  readonly s3GatewayId?: string | undefined;
}

/** Zones by their letters or by their names. */
export interface NetworkValues {
  readonly zones: readonly string[];
  readonly endpointZones: readonly string[];
  readonly cidr?: string | undefined;
  readonly existing?: ExistingVpc | undefined;
  readonly sourcePorts: readonly number[];
  readonly nat: boolean;
}

const ZONES = 3;

export function networkRules(values: NetworkValues): Rule[] {
  const { zones, endpointZones, cidr, existing, sourcePorts, nat } = values;
  return [
    {
      name: 'zones',
      value: zones,
      holds: zones.length === ZONES && areDifferent(zones),
      expected: 'three different availability zones',
    },
    {
      name: 'endpointZones',
      value: endpointZones,
      holds: endpointZones.length > 0 && areDifferent(endpointZones) && endpointZones.every((it) => zones.includes(it)),
      expected: `some of the zones ${zones.join(', ')}, each once`,
    },
    {
      name: 'cidr',
      value: cidr,
      holds: (cidr === undefined) !== (existing === undefined),
      expected: 'either cidr, for a VPC of its own, or existing, for one that is there',
    },
    {
      name: 'cidr',
      value: cidr,
      holds: cidr === undefined || isRangeBetween(cidr, 16, 20),
      expected: 'an address range of /16 to /20, such as 10.40.0.0/16',
    },
    {
      name: 'sourcePorts',
      value: sourcePorts,
      holds: sourcePorts.length === 0 || existing !== undefined,
      expected: 'none: no source is in a VPC that is made here',
    },
    {
      name: 'sourcePorts',
      value: sourcePorts,
      holds: sourcePorts.every(isPort) && areDifferent(sourcePorts.map(String)),
      expected: 'different ports from 1 to 65,535',
    },
    {
      name: 'nat',
      value: nat,
      holds: !nat || existing === undefined,
      expected: 'false: what leaves an existing VPC is its owners’ to decide',
    },
    ...(existing ? existingRules(existing) : []),
  ];
}

function existingRules({ vpcId, subnetIds, routeTableIds, s3GatewayId }: ExistingVpc): Rule[] {
  const areIds = (kind: string, ids: readonly string[]): boolean =>
    areDifferent(ids) && ids.every((each) => isId(kind, each));
  return [
    { name: 'existing.vpcId', value: vpcId, holds: isId('vpc', vpcId), expected: 'an id such as vpc-0a1b2c3d' },
    {
      name: 'existing.subnetIds',
      value: subnetIds,
      holds: subnetIds.length === ZONES && areIds('subnet', subnetIds),
      expected: 'the ids of three subnets, one in each zone, such as subnet-0a1b2c3d',
    },
    {
      name: 'existing.routeTableIds',
      value: routeTableIds,
      holds: routeTableIds.length > 0 && areIds('rtb', routeTableIds),
      expected: 'the ids of one or more route tables, such as rtb-0a1b2c3d',
    },
    {
      name: 'existing.s3GatewayId',
      value: s3GatewayId,
      holds: s3GatewayId === undefined || isId('vpce', s3GatewayId),
      expected: 'an id such as vpce-0a1b2c3d',
    },
  ];
}
