import { SecurityGroup as SecurityGroupResource } from '@cdktf/provider-aws/lib/security-group';
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule';
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule';
import { Construct } from 'constructs';

export interface SecurityGroupProps {
  readonly name: string;
  /** Whose it is; AWS replaces the group when it changes. */
  readonly description: string;
  readonly vpcId: string;
}

/** TCP ports, both ends included. */
export interface Ports {
  readonly from: number;
  readonly to: number;
}

/** A security group with a rule, which says why, for each way through it. Every rule is for TCP. */
export class SecurityGroup extends Construct {
  readonly id: string;

  constructor(scope: Construct, id: string, { name, description, vpcId }: SecurityGroupProps) {
    super(scope, id);
    this.id = new SecurityGroupResource(this, 'group', { name, description, vpcId, tags: { Name: name } }).id;
  }

  allowFrom(peer: SecurityGroup, ports: Ports, description: string): void {
    this.in(peer.node.id, ports, description, { referencedSecurityGroupId: peer.id });
  }

  /** @param id tells the rule from the group's others; the rule is replaced when it changes. */
  allowFromCidr(id: string, cidrIpv4: string, port: number, description: string): void {
    this.in(id, { from: port, to: port }, description, { cidrIpv4 });
  }

  allowTo(peer: SecurityGroup, ports: Ports, description: string): void {
    this.out(peer.node.id, ports, description, { referencedSecurityGroupId: peer.id });
  }

  /** @param id as above */
  allowToCidr(id: string, cidrIpv4: string, port: number, description: string): void {
    this.out(id, { from: port, to: port }, description, { cidrIpv4 });
  }

  /** @param id as above */
  allowToPrefixList(id: string, prefixListId: string, port: number, description: string): void {
    this.out(id, { from: port, to: port }, description, { prefixListId });
  }

  private in(id: string, ports: Ports, description: string, source: object): void {
    new VpcSecurityGroupIngressRule(this, `from-${id}`, this.rule(ports, description, source));
  }

  private out(id: string, ports: Ports, description: string, target: object): void {
    new VpcSecurityGroupEgressRule(this, `to-${id}`, this.rule(ports, description, target));
  }

  private rule<T extends object>({ from, to }: Ports, description: string, peer: T) {
    return { securityGroupId: this.id, description, ipProtocol: 'tcp', fromPort: from, toPort: to, ...peer };
  }
}
