/** Parameters that others keep for the platform: whether they are there, and of the form that is expected. */
import { X509Certificate } from 'node:crypto';
import { GetParameterCommand, ParameterNotFound, SSMClient, type Parameter } from '@aws-sdk/client-ssm';
import { SOURCE_ADDRESS } from '../../sources/address';
import { isRange } from '../../modules/ranges';
import { findings, good, wrong, type Finding } from './finding';

/** The form of a value. */
export interface Form {
  readonly expected: string;
  /** What may be said of a value; undefined when it is not of the form. */
  readonly describe: (value: string) => string | undefined;
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export const address: Form = {
  expected: 'postgresql://host:port/database without user, password or options',
  describe: (value) => (new RegExp(SOURCE_ADDRESS).test(value) ? value : undefined),
};

export const vpcId: Form = {
  expected: 'the id of a VPC',
  describe: (value) => (/^vpc-[0-9a-f]+$/.test(value) ? value : undefined),
};

export const range: Form = {
  expected: 'an address range such as 10.40.0.0/16, in which all bits after the prefix are 0',
  describe: (value) => (isRange(value) ? value : undefined),
};

export const certificates: Form = {
  expected: 'PEM certificates of which at least one is valid today',
  describe: (value) => {
    const read = (value.match(PEM) ?? []).map(readCertificate);
    if (!read.every((each) => each !== undefined)) return undefined; // a torn one makes all of them unreadable
    const until = Math.max(0, ...read.map(validUntil));
    if (until === 0) return undefined;
    return `${read.length} certificate(s), valid until ${new Date(until).toISOString().slice(0, 10)}`;
  },
};

/** Whether the parameter exists, as plain text, with a value of the form. */
export async function checkParameter(
  region: string,
  name: string,
  form: Form,
  remedy: string,
): Promise<readonly Finding[]> {
  const subject = `parameter ${name}`;
  return findings(subject, async () => {
    const complain = (found: string): Finding => wrong(subject, { found, expected: form.expected, remedy });
    const parameter = await find(region, name);
    if (!parameter) return complain('missing');
    // Terraform reads no other type without marking what depends on it as secret; jobs may not decrypt.
    if (parameter.Type !== 'String') return complain(`of type ${parameter.Type}, not String`);
    const described = form.describe(parameter.Value!);
    return described === undefined
      ? complain('its value, which is not shown, is something else')
      : good(subject, described);
  });
}

/** The parameter's value if there is one of the form. */
export async function readWellFormed(region: string, name: string, form: Form): Promise<string | undefined> {
  const parameter = await find(region, name);
  if (parameter?.Type !== 'String' || form.describe(parameter.Value!) === undefined) return undefined;
  return parameter.Value;
}

async function find(region: string, name: string): Promise<Parameter | undefined> {
  try {
    return (await new SSMClient({ region }).send(new GetParameterCommand({ Name: name }))).Parameter;
  } catch (error) {
    if (error instanceof ParameterNotFound) return undefined;
    throw error;
  }
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_OSSL')) return undefined;
    throw error;
  }
}

/** Milliseconds since 1970; 0 when it is not valid today. */
function validUntil({ validFrom, validTo }: X509Certificate): number {
  const now = Date.now();
  return Date.parse(validFrom) <= now && now < Date.parse(validTo) ? Date.parse(validTo) : 0;
}
