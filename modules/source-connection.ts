import { DataAwsSsmParameter } from '@cdktf/provider-aws/lib/data-aws-ssm-parameter';
import { Fn } from 'cdktf';
import { Construct } from 'constructs';
import { SOURCE_ADDRESS } from '../sources/address';
import { GlueConnection, type Placement } from './glue-connection';
import type { Grantee } from './grantee';
import { nameRule, parameterRule, secretRule } from './limits';
import { parameterArn, secretArn, type Location } from './naming';
import { checkRules } from './validation';

export interface SourceConnectionProps {
  /** Name of the Glue connection: the source's. */
  readonly name: string;
  readonly location: Location;
  /** SSM parameter with the source's address, `postgresql://host:port/database`; its owners keep it. */
  readonly urlParameter: string;
  /** SSM parameter with the authority that signs the source's certificate (PEM). */
  readonly caParameter: string;
  /** Secret with the platform's credentials there: `{"username", "password"}`. */
  readonly secret: string;
  /** Where in the network whoever connects is. */
  readonly placement: Placement;
}

/** The way to a source's database: a Glue connection over verified TLS to where its owners say that it is. */
export class SourceConnection extends Construct {
  /** What jobs run through to reach the source. */
  readonly glue: GlueConnection;
  /** Name of the source's database, known at apply. */
  readonly database: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: SourceConnectionProps,
  ) {
    super(scope, id);
    const { name, location, urlParameter, caParameter, secret, placement } = props;
    checkRules(
      `source ${name}`,
      [
        nameRule('name', name, 255),
        parameterRule('urlParameter', urlParameter),
        parameterRule('caParameter', caParameter),
        secretRule('secret', secret),
      ],
      'correct its contract in sources/, or ownerPaths in modules/naming.ts',
    );
    const url = new DataAwsSsmParameter(this, 'url', {
      name: urlParameter,
      lifecycle: {
        postcondition: [
          {
            condition: `\${can(regex("${SOURCE_ADDRESS}", self.insecure_value))}`,
            // The value is not shown: when it is wrong, somebody may have put a password there.
            errorMessage:
              `SSM parameter ${urlParameter} of source ${name}: expected postgresql://host:port/database ` +
              "without user, password or options; have the source's owners correct it.",
          },
        ],
      },
    });
    this.glue = new GlueConnection(this, 'connection', {
      name,
      description: `The source ${name}`,
      location,
      placement,
      jdbc: {
        JDBC_CONNECTION_URL: `jdbc:${url.insecureValue}`,
        JDBC_ENFORCE_SSL: 'true',
        SECRET_ID: secret,
      },
    });
    this.database = Fn.element(Fn.split('/', url.insecureValue), 3) as string;
  }

  /** Allows to read the owners' secret. */
  grantReadSecret(role: Grantee): void {
    const { location, secret } = this.props;
    role.allow({ actions: ['secretsmanager:GetSecretValue'], resources: [secretArn(location, secret)] });
  }

  /** Allows to connect by oneself: to read address, authority and credentials. */
  grantConnect(role: Grantee): void {
    const { location, urlParameter, caParameter } = this.props;
    role.allow({
      actions: ['ssm:GetParameter'],
      resources: [urlParameter, caParameter].map((name) => parameterArn(location, name)),
    });
    this.grantReadSecret(role);
  }

  /** Allows to connect through Glue, as crawlers do. */
  grantCrawl(role: Grantee): void {
    this.glue.grantUse(role);
    this.grantReadSecret(role);
  }
}
