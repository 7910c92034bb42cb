import { DataAwsSsmParameter } from '@cdktf/provider-aws/lib/data-aws-ssm-parameter';
import { DataAwsVpcEndpoint } from '@cdktf/provider-aws/lib/data-aws-vpc-endpoint';
import { DataAwsVpc } from '@cdktf/provider-aws/lib/data-aws-vpc';
import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group';
import { Eip } from '@cdktf/provider-aws/lib/eip';
import { FlowLog } from '@cdktf/provider-aws/lib/flow-log';
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway';
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway';
import { Route } from '@cdktf/provider-aws/lib/route';
import { RouteTable } from '@cdktf/provider-aws/lib/route-table';
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association';
import { Subnet } from '@cdktf/provider-aws/lib/subnet';
import { Vpc } from '@cdktf/provider-aws/lib/vpc';
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint';
import { VpcPeeringConnection } from '@cdktf/provider-aws/lib/vpc-peering-connection';
import { Fn } from 'cdktf';
import { Construct } from 'constructs';
import type { Bucket } from './bucket';
import { areDifferent, isAccount, isPort, parameterRule } from './limits';
import type { Location } from './naming';
import { networkRules, type ExistingVpc } from './network-rules';
import { SecurityGroup } from './security-group';
import { checkRules, type Rule } from './validation';

/** A source's VPC, and how its owners say where it is. */
export interface Peering {
  readonly name: string;
  /** SSM parameters with the VPC's id and its address range; the owners keep them. */
  readonly vpcParameter: string;
  readonly cidrParameter: string;
  /** Port of the source's database. */
  readonly port: number;
  /** The owners' AWS account; they accept the peering. @default this account, where it is accepted at once */
  readonly account?: string;
}

export interface NetworkProps {
  readonly name: string;
  readonly location: Location;
  /** Availability zones of the subnets. */
  readonly zones: readonly string[];
  /** Address range of a VPC of its own. @default `existing` */
  readonly cidr?: string;
  /** A VPC that is there. @default one of its own, with `cidr` */
  readonly existing?: ExistingVpc;
  /** AWS services that get an interface endpoint, for example "glue". */
  readonly endpoints: readonly string[];
  /** Zones in which each endpoint is. */
  readonly endpointZones: readonly string[];
  readonly peerings: readonly Peering[];
  /** Ports of the databases of sources that are in an existing VPC themselves. */
  readonly sourcePorts: readonly number[];
  /** Whether there is a way to the internet, by a NAT gateway in the first zone. */
  readonly nat: boolean;
  /** Where the flows of a VPC of its own are logged. */
  readonly flowLogs: Bucket;
}

/** A quarter of a quarter of the VPC's range for each subnet: a /16 makes /20s, 4,091 addresses each. */
const SUBNET_BITS = 4;
const HTTPS = 443;

/** The private network that jobs and databases are in: three subnets, the AWS services that jobs call, the sources. */
export class Network extends Construct {
  readonly vpcId: string;
  /** A private subnet in each zone. */
  readonly subnetIds: readonly string[];
  /** Where Glue puts a job's network interfaces: the first subnet, where endpoints are in any case. */
  readonly glue: {
    readonly subnetId: string;
    readonly availabilityZone: string;
    readonly securityGroup: SecurityGroup;
  };
  private readonly routeTableIds: readonly string[];
  /** The addresses of S3, which the gateway leads to. */
  private readonly s3: string;
  private readonly services?: SecurityGroup;
  /** Address range of an existing VPC. */
  private readonly range?: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: NetworkProps,
  ) {
    super(scope, id);
    checkRules(
      `network ${props.name}`,
      [...networkRules(props), ...peeringRules(props)],
      'correct network in the environment',
    );
    const { vpcId, subnetIds, routeTableIds } = props.existing ?? this.build(props.cidr!);
    this.vpcId = vpcId;
    this.subnetIds = subnetIds;
    this.routeTableIds = routeTableIds;

    const securityGroup = this.securityGroup('glue', 'Network interfaces of Glue jobs and crawlers');
    // Glue's own rule: a job's driver and workers talk to each other on any port.
    securityGroup.allowFrom(securityGroup, { from: 0, to: 65_535 }, 'Glue: driver and workers among themselves');
    securityGroup.allowTo(securityGroup, { from: 0, to: 65_535 }, 'Glue: driver and workers among themselves');
    const zone = props.endpointZones[0]!;
    this.glue = { subnetId: this.subnetIn(zone), availabilityZone: zone, securityGroup };

    if (props.existing) this.range = new DataAwsVpc(this, 'existing', { id: vpcId }).cidrBlock;
    for (const port of props.sourcePorts) {
      securityGroup.allowToCidr(`source-${port}`, this.range!, port, 'Sources in the VPC itself');
    }
    this.s3 = this.gatewayOfS3().prefixListId;
    if (props.endpoints.length > 0) this.services = this.endpointsOfServices();
    this.callServices(securityGroup);
    for (const peering of props.peerings) this.reachSource(peering, securityGroup);
  }

  /** A security group in the network that lets nothing in and nothing out yet. */
  securityGroup(purpose: string, description: string): SecurityGroup {
    return new SecurityGroup(this, `${purpose}-security-group`, {
      name: `${this.props.name}-${purpose}`,
      description,
      vpcId: this.vpcId,
    });
  }

  /** Lets what is in the group call AWS services: S3, and those that have an endpoint. */
  callServices(group: SecurityGroup): void {
    group.allowToPrefixList('s3', this.s3, HTTPS, 'S3');
    if (this.props.nat) group.allowToCidr('internet', '0.0.0.0/0', HTTPS, 'Any AWS service, through the NAT gateway');
    // An existing VPC without endpoints of ours has its own, somewhere in its range.
    if (!this.services && this.range) group.allowToCidr('services', this.range, HTTPS, 'AWS services');
    if (!this.services) return;
    const ports = { from: HTTPS, to: HTTPS };
    this.services.allowFrom(group, ports, 'Calls to AWS services');
    group.allowTo(this.services, ports, 'AWS services');
  }

  private subnetIn(zone: string): string {
    return this.subnetIds[this.props.zones.indexOf(zone)]!;
  }

  /** A VPC without a way in or out. */
  private build(cidr: string): { vpcId: string; subnetIds: string[]; routeTableIds: string[] } {
    const { name, zones, flowLogs, nat } = this.props;
    const vpc = new Vpc(this, 'vpc', {
      cidrBlock: cidr,
      enableDnsSupport: true,
      enableDnsHostnames: true, // the endpoints' private names want it
      tags: { Name: name },
    });
    // What is made without a security group gets this one, which lets nothing through.
    new DefaultSecurityGroup(this, 'default-security-group', { vpcId: vpc.id, tags: { Name: `${name}-default` } });
    new FlowLog(this, 'flow-log', {
      vpcId: vpc.id,
      trafficType: 'ALL',
      logDestinationType: 's3',
      logDestination: `${flowLogs.arn}/vpc-flows/`,
    });
    const routes = new RouteTable(this, 'private-routes', { vpcId: vpc.id, tags: { Name: `${name}-private` } });
    const subnetIds = zones.map((zone, index) => {
      const subnet = new Subnet(this, `private-${zone}`, {
        vpcId: vpc.id,
        availabilityZone: zone,
        cidrBlock: Fn.cidrsubnet(cidr, SUBNET_BITS, index),
        mapPublicIpOnLaunch: false,
        tags: { Name: `${name}-private-${zone}` },
      });
      new RouteTableAssociation(this, `private-${zone}-routes`, { subnetId: subnet.id, routeTableId: routes.id });
      return subnet.id;
    });
    if (nat) this.reachInternet(vpc, routes);
    return { vpcId: vpc.id, subnetIds, routeTableIds: [routes.id] };
  }

  private reachInternet(vpc: Vpc, privateRoutes: RouteTable): void {
    const { name, zones, cidr } = this.props;
    const gateway = new InternetGateway(this, 'internet-gateway', { vpcId: vpc.id, tags: { Name: name } });
    const subnet = new Subnet(this, 'public', {
      vpcId: vpc.id,
      availabilityZone: zones[0]!,
      cidrBlock: Fn.cidrsubnet(cidr!, SUBNET_BITS, zones.length),
      mapPublicIpOnLaunch: false,
      tags: { Name: `${name}-public` },
    });
    const routes = new RouteTable(this, 'public-routes', { vpcId: vpc.id, tags: { Name: `${name}-public` } });
    new RouteTableAssociation(this, 'public-routes-association', { subnetId: subnet.id, routeTableId: routes.id });
    new Route(this, 'to-internet', {
      routeTableId: routes.id,
      destinationCidrBlock: '0.0.0.0/0',
      gatewayId: gateway.id,
    });
    const address = new Eip(this, 'nat-address', { domain: 'vpc', tags: { Name: `${name}-nat` } });
    const nat = new NatGateway(this, 'nat', {
      subnetId: subnet.id,
      allocationId: address.id,
      tags: { Name: name },
      dependsOn: [gateway],
    });
    new Route(this, 'private-to-nat', {
      routeTableId: privateRoutes.id,
      destinationCidrBlock: '0.0.0.0/0',
      natGatewayId: nat.id,
    });
  }

  /** A route table takes one: where an existing VPC's lead to S3 already, theirs is used. */
  private gatewayOfS3(): VpcEndpoint | DataAwsVpcEndpoint {
    const { name, location, existing } = this.props;
    if (existing?.s3GatewayId) return new DataAwsVpcEndpoint(this, 's3-gateway', { id: existing.s3GatewayId });
    return new VpcEndpoint(this, 's3-endpoint', {
      vpcId: this.vpcId,
      serviceName: `com.amazonaws.${location.region}.s3`,
      vpcEndpointType: 'Gateway',
      routeTableIds: [...this.routeTableIds],
      tags: { Name: `${name}-s3` },
    });
  }

  /** @returns the group that the endpoints are in */
  private endpointsOfServices(): SecurityGroup {
    const { name, location, endpoints, endpointZones } = this.props;
    const group = this.securityGroup('endpoints', 'Interface endpoints of AWS services');
    for (const service of endpoints) {
      new VpcEndpoint(this, `${service}-endpoint`, {
        vpcId: this.vpcId,
        serviceName: `com.amazonaws.${location.region}.${service}`,
        vpcEndpointType: 'Interface',
        privateDnsEnabled: true,
        subnetIds: endpointZones.map((zone) => this.subnetIn(zone)),
        securityGroupIds: [group.id],
        tags: { Name: `${name}-${service}` },
      });
    }
    return group;
  }

  private reachSource(peering: Peering, glue: SecurityGroup): void {
    const { name, port, account } = peering;
    const vpc = new DataAwsSsmParameter(this, `${name}-vpc`, { name: peering.vpcParameter });
    const cidr = new DataAwsSsmParameter(this, `${name}-cidr`, { name: peering.cidrParameter });
    const connection = new VpcPeeringConnection(this, `${name}-peering`, {
      vpcId: this.vpcId,
      peerVpcId: vpc.insecureValue,
      peerOwnerId: account,
      autoAccept: account === undefined,
      tags: { Name: `${this.props.name}-${name}` },
    });
    this.routeTableIds.forEach((routeTableId, index) => {
      new Route(this, `${name}-route-${index}`, {
        routeTableId,
        destinationCidrBlock: cidr.insecureValue,
        vpcPeeringConnectionId: connection.id,
      });
    });
    glue.allowToCidr(name, cidr.insecureValue, port, `The source ${name}`);
  }
}

function peeringRules({ peerings, endpoints }: NetworkProps): Rule[] {
  const names = peerings.map(({ name }) => name);
  return [
    { name: 'peerings', value: names, holds: areDifferent(names), expected: 'each source’s VPC once' },
    { name: 'endpoints', value: endpoints, holds: areDifferent(endpoints), expected: 'each AWS service once' },
    ...peerings.flatMap(({ name, port, account, vpcParameter, cidrParameter }) => [
      { name: `peerings.${name}.port`, value: port, holds: isPort(port), expected: 'a port from 1 to 65,535' },
      {
        name: `peerings.${name}.account`,
        value: account,
        holds: account === undefined || isAccount(account),
        expected: 'the 12 digits of an AWS account',
      },
      parameterRule(`peerings.${name}.vpcParameter`, vpcParameter),
      parameterRule(`peerings.${name}.cidrParameter`, cidrParameter),
    ]),
  ];
}
