import { GlueConnection as GlueConnectionResource } from '@cdktf/provider-aws/lib/glue-connection';
import { Construct } from 'constructs';
import type { Grantee } from './grantee';
import { arn, type Location } from './naming';
import { check } from './validation';

/** Where the network interfaces of whoever runs through a connection are. */
export interface Placement {
  readonly subnetId: string;
  /** The subnet's zone, for example "eu-central-1a". */
  readonly availabilityZone: string;
  /** One of them lets all TCP in from itself: Glue's workers talk to each other. */
  readonly securityGroupIds: readonly string[];
}

export interface GlueConnectionProps {
  readonly name: string;
  readonly description: string;
  readonly location: Location;
  readonly placement: Placement;
  /** Of a JDBC connection: its address and whose credentials. @default none: it leads into the network only */
  readonly jdbc?: Readonly<Record<string, string>>;
}

/** Tag that Glue puts on its network interfaces. */
const GLUE_TAG = 'aws-glue-service-resource';

/** A Glue connection: what jobs and crawlers run through to be in the network. */
export class GlueConnection extends Construct {
  readonly name: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: GlueConnectionProps,
  ) {
    super(scope, id);
    const { name, description, placement, jdbc } = props;
    check(placement.securityGroupIds.length > 0, {
      name: `securityGroupIds of connection ${name}`,
      value: placement.securityGroupIds,
      expected: 'at least one security group',
      remedy: "pass the network's group for Glue",
    });
    this.name = new GlueConnectionResource(this, 'connection', {
      name,
      description,
      connectionType: jdbc ? 'JDBC' : 'NETWORK',
      connectionProperties: jdbc,
      physicalConnectionRequirements: {
        subnetId: placement.subnetId,
        availabilityZone: placement.availabilityZone,
        securityGroupIdList: [...placement.securityGroupIds],
      },
    }).name;
  }

  /** Allows to run through it: to look it up and to have network interfaces where it leads. */
  grantUse(grantee: Grantee): void {
    const { location, name, placement } = this.props;
    const resources = [arn('glue', location, 'catalog'), arn('glue', location, `connection/${name}`)];
    grantee.allow({ actions: ['glue:GetConnection'], resources });

    const interfaces = arn('ec2', location, 'network-interface/*');
    const inside = [
      arn('ec2', location, `subnet/${placement.subnetId}`),
      ...placement.securityGroupIds.map((group) => arn('ec2', location, `security-group/${group}`)),
    ];
    grantee.allow({ actions: ['ec2:CreateNetworkInterface'], resources: [...inside, interfaces] });
    grantee.allow({ actions: ['ec2:DeleteNetworkInterface'], resources: [interfaces] });
    grantee.allow({
      actions: ['ec2:CreateTags', 'ec2:DeleteTags'],
      resources: [interfaces],
      conditions: { 'ForAllValues:StringEquals': { 'aws:TagKeys': [GLUE_TAG] } },
    });
    // What describes the network has no resources that could be named.
    grantee.allowUnscoped(
      [
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeRouteTables',
        'ec2:DescribeSecurityGroups',
        'ec2:DescribeSubnets',
        'ec2:DescribeVpcAttribute',
        'ec2:DescribeVpcEndpoints',
      ],
      { StringEquals: { 'aws:RequestedRegion': location.region } },
    );
  }
}
