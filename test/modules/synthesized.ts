/** Reads what a stack synthesizes to, as Terraform will. */
import { Testing, type TerraformStack } from 'cdktf';
import type { Environment } from '../../envs/environment';
import project from '../../cdktf.json';
import { Access } from '../../modules/access/access';
import { Platform } from '../../modules/platform';

/** A resource's or a data source's configuration. */
export type Configuration = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

export type Blocks = Record<string, Record<string, Configuration>>;

export interface Statement {
  readonly Effect: string;
  readonly Action: string[];
  readonly Resource: string[];
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

export class Synthesized {
  readonly terraform: Configuration;
  readonly provider: Configuration;
  private readonly data: Blocks;
  /** Type → id → configuration. */
  readonly resource: Blocks;

  constructor(stack: TerraformStack) {
    const config = JSON.parse(Testing.synth(stack)) as Configuration;
    const { terraform, provider, data, resource } = withReferencesRead(config);
    this.terraform = terraform as Configuration;
    this.provider = provider as Configuration;
    this.data = (data ?? {}) as Blocks;
    this.resource = resource as Blocks;
  }

  types(): string[] {
    return Object.keys(this.resource);
  }

  all(type: string): Configuration[] {
    return Object.values(this.resource[type] ?? {});
  }

  /** The only resource of a type, or the one that has this name. */
  one(type: string, name?: string): Configuration {
    const found = this.all(type).filter((each) => name === undefined || physicalName(each) === name);
    if (found.length !== 1) throw new Error(`${found.length} resources ${type} ${name ?? ''}`);
    return found[0]!;
  }

  names(type: string): string[] {
    return this.all(type).map(physicalName).sort();
  }

  /** The data source of a type that reads this name or id. */
  dataSource(type: string, name: string): Configuration {
    return Object.values(this.data[type]!).find((each) => each['name'] === name || each['id'] === name)!;
  }

  /** What a role may do, by its own policy or by one of the platform's that is attached to it. */
  permissions(role: string): Statement[] {
    const own = this.all('aws_iam_role_policy').filter((each) => each['role'] === role);
    const attached = this.all('aws_iam_role_policy_attachment')
      .filter((each) => each['role'] === role)
      .flatMap(({ policy_arn: arn }) =>
        this.all('aws_iam_policy').filter(({ name }) => arn === `<aws_iam_policy ${name} arn>`),
      );
    return [...own, ...attached].flatMap(
      ({ policy }) => (JSON.parse(policy as string) as { Statement: Statement[] }).Statement,
    );
  }
}

/** @param context cdktf's, as cdktf.json has it unless given */
export function synthesize(environment: Environment, context: Record<string, unknown> = project.context): Synthesized {
  return new Synthesized(new Platform(Testing.app({ context }), environment));
}

/** The stack of an environment's pipelines' roles. */
export function synthesizeAccess(environment: Environment): Synthesized {
  return new Synthesized(new Access(Testing.app(), environment));
}
const NAMES = [
  'name',
  'identifier',
  'bucket',
  'alarm_name',
  'dashboard_name',
  'workgroup_name', // of a workgroup, which names its namespace, too
  'namespace_name',
];

function physicalName(configuration: Configuration): string {
  const tags = configuration['tags'] as Record<string, string> | undefined;
  return (NAMES.map((attribute) => configuration[attribute] as unknown).find((name) => name !== undefined) ??
    tags?.['Name'] ??
    configuration['description']) as string;
}

/** References to configured values as the values; others as `<type name attribute>`, without cdktf's generated ids. */
function withReferencesRead(config: Configuration): Configuration {
  const resources = { ...(config['resource'] as Blocks) };
  const text = JSON.stringify(config).replace(
    /\$\{(aws_\w+)\.([\w-]+)\.([\w.[\]]+)\}/g,
    (_, type: string, id: string, attribute: string) => {
      const configuration = resources[type]![id]!;
      const value: unknown = configuration[attribute];
      return typeof value === 'string' && !value.includes('${')
        ? value
        : `<${type} ${physicalName(configuration)} ${attribute}>`;
    },
  );
  return JSON.parse(text) as Configuration;
}
