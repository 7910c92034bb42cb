import { dev } from '../../envs/dev';
import { defineEnvironment } from '../../envs/environment';
import { prod } from '../../envs/prod';
import { synthesize, type Configuration, type Synthesized } from './synthesized';

const platform = synthesize(dev);
const GLUE = '<aws_security_group trackman-glue id>';
const WAREHOUSE = '<aws_security_group trackman-warehouse id>';
const ENDPOINTS = '<aws_security_group trackman-endpoints id>';

function rules(of: Synthesized, direction: 'ingress' | 'egress', group: string): Configuration[] {
  return of
    .all(`aws_vpc_security_group_${direction}_rule`)
    .filter((rule) => rule['security_group_id'] === group)
    .map(({ from_port, to_port, referenced_security_group_id, cidr_ipv4, prefix_list_id }) => ({
      ports: [from_port, to_port],
      peer: referenced_security_group_id ?? cidr_ipv4 ?? prefix_list_id,
    }));
}

function endpoints(of: Synthesized): Record<string, Configuration> {
  return Object.fromEntries(
    of.all('aws_vpc_endpoint').map((each) => [(each['service_name'] as string).split('.').pop()!, each]),
  );
}

describe('a VPC of its own', () => {
  test('has a private subnet in each of three zones and no way to the internet', () => {
    expect(
      platform
        .all('aws_subnet')
        .map((subnet): unknown[] => [subnet['availability_zone'], subnet['map_public_ip_on_launch']]),
    ).toEqual([
      ['eu-central-1a', false],
      ['eu-central-1b', false],
      ['eu-central-1c', false],
    ]);
    for (const type of ['aws_internet_gateway', 'aws_nat_gateway', 'aws_eip']) {
      expect(platform.types()).not.toContain(type);
    }
  });

  test('lets nothing through its default security group, and logs its flows', () => {
    expect(platform.one('aws_default_security_group')).not.toHaveProperty('ingress');
    expect(platform.one('aws_default_security_group')).not.toHaveProperty('egress');
    expect(platform.one('aws_flow_log')).toMatchObject({
      traffic_type: 'ALL',
      log_destination: 'arn:aws:s3:::trackman-logs-dev-111111111111/vpc-flows/',
    });
  });

  test('reaches S3 by a gateway and what jobs call by endpoints in the environment’s zones', () => {
    const { s3, ...interfaces } = endpoints(platform);
    expect(s3).toMatchObject({ vpc_endpoint_type: 'Gateway', route_table_ids: [expect.any(String)] });
    expect(Object.keys(interfaces).sort()).toEqual(
      ['glue', 'kms', 'logs', 'monitoring', 'secretsmanager', 'ssm', 'sts'].sort(),
    );
    for (const each of Object.values(interfaces)) {
      expect(each).toMatchObject({ vpc_endpoint_type: 'Interface', private_dns_enabled: true });
      expect(each['subnet_ids']).toHaveLength(1);
      expect(each['security_group_ids']).toEqual([ENDPOINTS]);
    }
    for (const each of Object.values(endpoints(synthesize(prod)))) {
      if (each['vpc_endpoint_type'] === 'Interface') expect(each['subnet_ids']).toHaveLength(2);
    }
  });

  test('lets jobs talk among themselves, to endpoints, S3, the source and dataengineering-db, and nobody to them', () => {
    expect(rules(platform, 'ingress', GLUE)).toEqual([{ ports: [0, 65_535], peer: GLUE }]);
    expect(rules(platform, 'egress', GLUE)).toEqual([
      { ports: [5432, 5432], peer: expect.stringMatching(/aws_ssm_parameter.*cidr/) },
      { ports: [443, 443], peer: ENDPOINTS },
      { ports: [0, 65_535], peer: GLUE },
      { ports: [443, 443], peer: expect.stringContaining('prefix_list_id') },
      { ports: [5432, 5432], peer: '<aws_security_group trackman-serving-db id>' },
    ]);
    expect(rules(platform, 'ingress', ENDPOINTS)).toEqual([
      { ports: [443, 443], peer: GLUE },
      { ports: [443, 443], peer: WAREHOUSE },
    ]);
    expect(rules(platform, 'egress', ENDPOINTS)).toEqual([]);
  });

  test('lets the warehouse call AWS services, and nobody call it', () => {
    expect(rules(platform, 'ingress', WAREHOUSE)).toEqual([]);
    expect(rules(platform, 'egress', WAREHOUSE)).toEqual([
      { ports: [443, 443], peer: ENDPOINTS },
      { ports: [443, 443], peer: expect.stringContaining('prefix_list_id') },
    ]);
  });

  test('is peered with the source’s VPC, where its owners say that it is', () => {
    expect(platform.dataSource('aws_ssm_parameter', '/trackman/dev/backend/vpc')).toBeDefined();
    expect(platform.one('aws_vpc_peering_connection')).toMatchObject({
      peer_vpc_id: expect.stringContaining('insecure_value'),
      auto_accept: true,
    });
    expect(platform.one('aws_route')).toMatchObject({
      destination_cidr_block: expect.stringContaining('insecure_value'),
      vpc_peering_connection_id: expect.stringContaining('aws_vpc_peering_connection'),
    });
  });

  test('leaves a peering with another account to its owners', () => {
    const other = synthesize({
      ...dev,
      network: { ...dev.network, peerings: [{ ownerFolder: 'backend', port: 5433, account: '999999999999' }] },
    });
    expect(other.one('aws_vpc_peering_connection')).toMatchObject({
      auto_accept: false,
      peer_owner_id: '999999999999',
    });
    expect(rules(other, 'egress', GLUE)).toContainEqual({ ports: [5433, 5433], peer: expect.any(String) });
  });

  test('has a NAT gateway when it is asked for', () => {
    const open = synthesize({ ...dev, network: { ...dev.network, nat: true } });
    expect(open.types()).toEqual(expect.arrayContaining(['aws_nat_gateway', 'aws_internet_gateway', 'aws_eip']));
    expect(open.all('aws_route').map((route) => route['destination_cidr_block'] as string)).toEqual(
      expect.arrayContaining(['0.0.0.0/0']),
    );
    expect(rules(open, 'egress', GLUE)).toContainEqual({ ports: [443, 443], peer: '0.0.0.0/0' });
  });
});

describe('an existing VPC', () => {
  const network = { ...dev.network, cidr: undefined };
  const existing = {
    vpcId: 'vpc-0a1b',
    subnetIds: ['subnet-0a', 'subnet-0b', 'subnet-0c'],
    routeTableIds: ['rtb-0a', 'rtb-0b'],
  };
  const inside = synthesize(
    defineEnvironment({
      name: 'dev',
      account: '111111111111',
      deletionProtection: false,
      network: { ...network, existing },
    }),
  );

  test('is used as it is', () => {
    for (const type of ['aws_vpc', 'aws_subnet', 'aws_route_table', 'aws_flow_log', 'aws_default_security_group']) {
      expect(inside.types()).not.toContain(type);
    }
    expect(inside.one('aws_db_subnet_group')['subnet_ids']).toEqual(existing.subnetIds);
    for (const group of inside.all('aws_security_group')) expect(group['vpc_id']).toBe('vpc-0a1b');
  });

  test('learns the ways to S3 and to the source in each of its route tables', () => {
    expect(endpoints(inside)['s3']!['route_table_ids']).toEqual(existing.routeTableIds);
    expect(inside.all('aws_route').map((route) => route['route_table_id'] as string)).toEqual(existing.routeTableIds);
  });

  test('lets jobs reach sources and endpoints that are in it themselves', () => {
    const own = synthesize({
      ...dev,
      network: { ...network, existing, endpoints: [], peerings: [], sourcePorts: [5432] },
    });
    const range = expect.stringMatching(/data\.aws_vpc\.\w+.*\.cidr_block/);
    expect(rules(own, 'egress', GLUE)).toEqual(
      expect.arrayContaining([
        { ports: [5432, 5432], peer: range },
        { ports: [443, 443], peer: range },
      ]),
    );
  });

  test('keeps the way to S3 that its owners made', () => {
    const joined = synthesize({
      ...dev,
      network: { ...network, existing: { ...existing, s3GatewayId: 'vpce-0a1b' } },
    });
    expect(Object.keys(endpoints(joined))).not.toContain('s3');
    expect(joined.dataSource('aws_vpc_endpoint', 'vpce-0a1b')).toBeDefined();
    expect(rules(joined, 'egress', GLUE)).toContainEqual({
      ports: [443, 443],
      peer: expect.stringMatching(/^\$\{data\.aws_vpc_endpoint\.[\w-]+\.prefix_list_id\}$/),
    });
  });

  test('has endpoints only where it is said', () => {
    const bare = synthesize({
      ...dev,
      network: { ...network, existing, endpoints: [], peerings: [] },
    });
    expect(Object.keys(endpoints(bare))).toEqual(['s3']);
    expect(bare.types()).not.toContain('aws_vpc_peering_connection');
  });
});
