/** Who decides today on tables that are made from now on, against what the environment says. */
import {
  GetDataLakeSettingsCommand,
  LakeFormationClient,
  type DataLakeSettings,
  type PrincipalPermissions,
} from '@aws-sdk/client-lakeformation';
import type { Environment } from '../../envs/environment';
import { findings, good, told, type Finding } from './finding';

const BY_IAM = 'IAM_ALLOWED_PRINCIPALS';

type Mode = Environment['lakeFormation'];

const WORDS: Record<Mode, string> = { iam: 'IAM policies alone', grants: 'grants' };

export async function checkLakeFormation({ name, region, lakeFormation }: Environment): Promise<readonly Finding[]> {
  const subject = 'Lake Formation';
  return findings(subject, async () => {
    const { DataLakeSettings } = await new LakeFormationClient({ region }).send(new GetDataLakeSettingsCommand({}));
    return judgeSettings(subject, DataLakeSettings ?? {}, lakeFormation, name);
  });
}

/** Another mode is no failure: the apply changes it. */
export function judgeSettings(subject: string, settings: DataLakeSettings, wanted: Mode, environment: string): Finding {
  const databases = modeOf(settings.CreateDatabaseDefaultPermissions);
  const tables = modeOf(settings.CreateTableDefaultPermissions);
  const found = `new databases by ${WORDS[databases]}, new tables by ${WORDS[tables]}`;
  if (databases === wanted && tables === wanted) return good(subject, found);
  return told(subject, {
    found,
    expected: `both by ${WORDS[wanted]}`,
    remedy: `the apply changes it for the whole account; if others rely on it, set lakeFormation in envs/${environment}.ts`,
  });
}

/** `iam`: who is allowed by IAM policies needs no grant. */
function modeOf(defaults: readonly PrincipalPermissions[] = []): Mode {
  return defaults.some(({ Principal }) => Principal?.DataLakePrincipalIdentifier === BY_IAM) ? 'iam' : 'grants';
}
