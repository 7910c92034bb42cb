import { DescribeVpcsCommand, type EC2Client, type Vpc } from '@aws-sdk/client-ec2';

/** By a filter: an id that is unknown is then no error. */
export async function findVpc(ec2: EC2Client, id: string): Promise<Vpc | undefined> {
  const { Vpcs } = await ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: 'vpc-id', Values: [id] }] }));
  return Vpcs?.[0];
}

/** The VPC's IPv4 address ranges. */
export function rangesOf({ CidrBlockAssociationSet }: Vpc): string[] {
  const held = (CidrBlockAssociationSet ?? []).filter(({ CidrBlockState }) => CidrBlockState?.State === 'associated');
  return held.map(({ CidrBlock }) => CidrBlock!);
}
