import { DataAwsSsmParameter } from '@cdktf/provider-aws/lib/data-aws-ssm-parameter';
import { GlueConnection } from '@cdktf/provider-aws/lib/glue-connection';
import { Fn } from 'cdktf';
import { Construct } from 'constructs';
import { SOURCE_ADDRESS } from '../sources/address';
import { arn, parameterArn, secretArn, type Location } from './naming';
import type { Grantee } from './grantee';

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
}

/** The way to a source's database: a Glue connection over verified TLS to where its owners say that it is. */
export class SourceConnection extends Construct {
  readonly name: string;
  /** Name of the source's database, known at apply. */
  readonly database: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: SourceConnectionProps,
  ) {
    super(scope, id);
    const { name, urlParameter, secret } = props;
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
    const connection = new GlueConnection(this, 'connection', {
      name,
      connectionType: 'JDBC',
      connectionProperties: {
        JDBC_CONNECTION_URL: `jdbc:${url.insecureValue}`,
        JDBC_ENFORCE_SSL: 'true',
        SECRET_ID: secret,
      },
      // Subnet and security group (physical_connection_requirements) come with the network.
    });
    this.name = connection.name;
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

  /** Allows to use the Glue connection, as crawlers do. */
  grantCrawl(role: Grantee): void {
    const { location, name } = this.props;
    const resources = [arn('glue', location, 'catalog'), arn('glue', location, `connection/${name}`)];
    role.allow({ actions: ['glue:GetConnection'], resources });
    this.grantReadSecret(role);
  }
}
