import type { RouteTable, Subnet, VpcEndpoint } from '@aws-sdk/client-ec2';
import { judgeRouteTables, judgeS3Gateway, judgeSubnet } from '../../../cli/preflight/existing-vpc';
import { renderFinding } from '../../../cli/preflight/finding';
import { compareRanges } from '../../../cli/preflight/network';

describe('address ranges', () => {
  const lines = (own: string[], ...peers: string[][]): string[] =>
    compareRanges(
      { of: 'the platform', cidrs: own },
      peers.map((cidrs, index) => ({ of: `peer-${index}`, cidrs })),
      'you choose another',
    ).map(renderFinding);

  test('of every two VPCs are compared, all of theirs', () => {
    expect(lines(['10.41.0.0/16'], ['172.31.0.0/16'], ['10.0.0.0/16', '172.31.128.0/20'])).toEqual([
      '✓ address ranges of the platform and peer-0: 10.41.0.0/16 and 172.31.0.0/16 are apart',
      '✓ address ranges of the platform and peer-1: 10.41.0.0/16 and 10.0.0.0/16, 172.31.128.0/20 are apart',
      '✗ address ranges of peer-0 and peer-1: 172.31.0.0/16 and 10.0.0.0/16, 172.31.128.0/20 overlap; ' +
        'expected no common address; the owners of peer-0 or of peer-1 choose another',
    ]);
  });

  test('of the platform are the environment’s to change', () => {
    expect(lines(['10.41.0.0/16'], ['10.0.0.0/8'])).toEqual([
      '✗ address ranges of the platform and peer-0: 10.41.0.0/16 and 10.0.0.0/8 overlap; ' +
        'expected no common address; you choose another',
    ]);
  });

  test('that nobody knows are not said to be apart', () => {
    expect(lines([], ['10.0.0.0/8'])).toEqual([]);
  });
});

describe('a subnet of an existing VPC', () => {
  const fitting: Subnet = {
    VpcId: 'vpc-1',
    AvailabilityZone: 'eu-central-1a',
    MapPublicIpOnLaunch: false,
    AvailableIpAddressCount: 32,
  };
  const judge = (subnet: Subnet | undefined) =>
    judgeSubnet('subnet-1', subnet, { vpcId: 'vpc-1', zone: 'eu-central-1a' }, 'you name another');

  test('that is private, in its place and has room', () => {
    expect(renderFinding(judge(fitting))).toBe(
      '✓ subnet subnet-1: of vpc-1 in eu-central-1a, private, 32 free addresses',
    );
  });

  test.each<[string, Subnet | undefined, string]>([
    ['is missing', undefined, 'missing'],
    ['is in another VPC', { ...fitting, VpcId: 'vpc-2' }, 'of vpc-2'],
    ['is in another zone', { ...fitting, AvailabilityZone: 'eu-central-1b' }, 'in eu-central-1b'],
    ['is public', { ...fitting, MapPublicIpOnLaunch: true }, 'gives public addresses'],
    ['is full', { ...fitting, AvailableIpAddressCount: 31 }, '31 free addresses'],
  ])('that %s is wrong', (_, subnet, found) => {
    expect(judge(subnet)).toMatchObject({ state: 'wrong', found: expect.stringContaining(found) });
  });
});

describe('route tables of an existing VPC', () => {
  const main: RouteTable = { RouteTableId: 'rtb-0', Associations: [{ Main: true, RouteTableId: 'rtb-0' }] };
  const own: RouteTable = { RouteTableId: 'rtb-1', Associations: [{ SubnetId: 'subnet-1', RouteTableId: 'rtb-1' }] };
  const judge = (routeTableIds: string[], tables = [main, own]) =>
    judgeRouteTables(tables, { subnetIds: ['subnet-1', 'subnet-2'], routeTableIds }, 'you name others');

  test('are those that the subnets use: their own, or the main one', () => {
    expect(judge(['rtb-1', 'rtb-0']).state).toBe('good');
  });

  test.each([
    ['one too few', ['rtb-1']],
    ['one too many', ['rtb-0', 'rtb-1', 'rtb-2']],
    ['another', ['rtb-0', 'rtb-2']],
  ])('%s is wrong, and the right ones are named', (_, named) => {
    expect(judge(named)).toMatchObject({ state: 'wrong', found: 'the subnets use rtb-1, rtb-0' });
  });

  test('of a VPC that is not there are none', () => {
    expect(judge(['rtb-0'], [])).toMatchObject({ state: 'wrong', found: expect.stringContaining('none for subnet-1') });
  });
});

describe('a gateway of S3 in an existing VPC', () => {
  const theirs: VpcEndpoint = {
    VpcEndpointId: 'vpce-1',
    VpcEndpointType: 'Gateway',
    State: 'Available',
    RouteTableIds: ['rtb-1', 'rtb-2'],
  };
  const ours: VpcEndpoint = { ...theirs, VpcEndpointId: 'vpce-9', Tags: [{ Key: 'platform', Value: 'trackman' }] };
  const judge = (endpoints: VpcEndpoint[], routeTableIds: string[], s3GatewayId?: string): string =>
    renderFinding(judgeS3Gateway(endpoints, { routeTableIds, s3GatewayId }, 'network.existing.s3GatewayId'));

  test('that nobody named stands in the way of the platform’s own', () => {
    expect(judge([theirs], ['rtb-2', 'rtb-3'])).toBe(
      '✗ gateway of S3 for rtb-2, rtb-3: vpce-1 is there, for rtb-1, rtb-2; expected none, as the environment names ' +
        'none; you name it in network.existing.s3GatewayId',
    );
  });

  test.each([
    ['there is none', []],
    ['it is for other route tables', [theirs]],
    ['it was deleted', [{ ...theirs, State: 'Deleted' as const, RouteTableIds: ['rtb-3'] }]],
    ['the platform made it', [{ ...ours, RouteTableIds: ['rtb-3'] }]],
    ['it is an interface', [{ ...theirs, VpcEndpointType: 'Interface' as const, RouteTableIds: ['rtb-3'] }]],
  ])('does not when %s', (_, endpoints) => {
    expect(judge(endpoints, ['rtb-3'])).toBe('✓ gateway of S3 for rtb-3: none but the platform’s own');
  });

  test('that is named is there for every route table', () => {
    expect(judge([theirs], ['rtb-1'], 'vpce-1')).toBe('✓ gateway of S3 vpce-1: is there, for rtb-1');
    expect(judge([theirs], ['rtb-1', 'rtb-3'], 'vpce-1')).toBe(
      '✗ gateway of S3 vpce-1: is not for rtb-3; expected a gateway of S3 in the VPC, for the route tables rtb-1, rtb-3; ' +
        "the VPC's owners add these route tables to it",
    );
    expect(judge([theirs], ['rtb-1'], 'vpce-2')).toMatch(/^✗ gateway of S3 vpce-2: missing/);
  });
});
