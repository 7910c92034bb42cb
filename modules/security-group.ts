import { SecurityGroup as SecurityGroupResource } from '@cdktf/provider-aws/lib/security-group';
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule';
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule';
import { Construct } from 'constructs';
import { isReference, isWhole } from './limits';
import { isRange } from './ranges';
import { check, checkRules, type Rule } from './validation';

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

const DESCRIPTION = /^[\w .\-:/()#,@[\]+=&;{}!$*]{1,255}$/;
const ALLOWED = '1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*';

/** EC2 refuses others, an apostrophe among them. */
function descriptionRule(value: string): Rule {
  return { name: 'description', value, holds: DESCRIPTION.test(value), expected: ALLOWED };
}

/** A security group with a rule, which says why, for each way through it. Every rule is for TCP. */
export class SecurityGroup extends Construct {
  readonly id: string;
  private readonly title: string;

  constructor(scope: Construct, id: string, { name, description, vpcId }: SecurityGroupProps) {
    super(scope, id);
    this.title = `security group ${name}`;
    const nameOfOurs = {
      name: 'name',
      value: name,
      holds: DESCRIPTION.test(name) && !name.startsWith('sg-'),
      expected: `${ALLOWED}, not beginning with sg-, as AWS’s own ids do`,
    };
    checkRules(this.title, [nameOfOurs, descriptionRule(description)], 'correct the module that makes it');
    this.id = new SecurityGroupResource(this, 'group', { name, description, vpcId, tags: { Name: name } }).id;
  }

  allowFrom(peer: SecurityGroup, ports: Ports, description: string): void {
    this.in(peer.node.id, ports, description, { referencedSecurityGroupId: peer.id });
  }

  /** @param id tells the rule from the group's others; the rule is replaced when it changes. */
  allowFromCidr(id: string, cidrIpv4: string, port: number, description: string): void {
    this.checkRange(cidrIpv4);
    this.in(id, { from: port, to: port }, description, { cidrIpv4 });
  }

  allowTo(peer: SecurityGroup, ports: Ports, description: string): void {
    this.out(peer.node.id, ports, description, { referencedSecurityGroupId: peer.id });
  }

  /** @param id as above */
  allowToCidr(id: string, cidrIpv4: string, port: number, description: string): void {
    this.checkRange(cidrIpv4);
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

  /** What a source's owners say is known at apply. */
  private checkRange(cidr: string): void {
    check(isRange(cidr) || isReference(cidr), {
      name: `address range of ${this.title}`,
      value: cidr,
      expected: 'an address range such as 10.40.0.0/16, all bits behind its prefix 0',
      remedy: 'correct it where it is given, for example servingDb.clientCidrs of the environment',
    });
  }

  private rule<T extends object>({ from, to }: Ports, description: string, peer: T) {
    const ports = {
      name: 'ports',
      value: { from, to },
      holds: isWhole(from, 0, 65_535) && isWhole(to, from, 65_535),
      expected: 'ports from 0 to 65,535, the lower one first',
    };
    checkRules(`a rule of ${this.title}`, [ports, descriptionRule(description)], 'correct the module that asks for it');
    return { securityGroupId: this.id, description, ipProtocol: 'tcp', fromPort: from, toPort: to, ...peer };
  }
}
