import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheDirectory } from './components.mjs';
import { SetupError } from './errors.mjs';
import { run } from './run.mjs';

const REGISTRY_TIMEOUT_SECONDS = 3;
const PLATFORM = 'linux_amd64';

/** Where Terraform itself looks for providers on Linux ("implied local mirror directories"). */
function impliedMirrors({ HOME = os.homedir(), XDG_DATA_HOME, XDG_DATA_DIRS }) {
  const data = [
    XDG_DATA_HOME || `${HOME}/.local/share`,
    ...(XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':'),
  ];
  return [`${HOME}/.terraform.d/plugins`, ...data.map((directory) => `${directory}/terraform/plugins`)];
}

/** Where administrators put software by hand: a mirror may be a directory of any name directly below. */
const SOFTWARE_ROOTS = [
  '/opt',
  '/srv',
  '/usr/local',
  '/usr/local/lib',
  '/usr/local/share',
  '/usr/lib',
  '/usr/share',
  '/var/lib',
];

/**
 * The provider that .terraform.lock.hcl pins.
 * @typedef {{address: string, host: string, version: string}} Provider `address` as "host/namespace/type"
 * @param {string} lockFile
 * @returns {Provider}
 */
export function lockedProvider(lockFile) {
  const match = /provider "(([^/"]+)\/[^"]+)" \{\s+version\s+= "([^"]+)"/.exec(readFileSync(lockFile, 'utf8'));
  if (!match) throw new SetupError(`${lockFile} names no provider: make it by "terraform providers lock"`);
  const [, address, host, version] = match;
  return { address, host, version };
}

/**
 * A directory that is a filesystem mirror, packed or unpacked, with this version of the provider.
 * @param {Provider} provider
 * @param {Record<string, string>} environment TF_PLUGIN_MIRROR_DIR comes first, HOME and XDG_DATA_* are Terraform's own
 * @param {string[]} [softwareRoots]
 * @returns {string | undefined}
 */
export function findMirror(provider, environment, softwareRoots = SOFTWARE_ROOTS) {
  const candidates = [
    ...(environment.TF_PLUGIN_MIRROR_DIR ? [environment.TF_PLUGIN_MIRROR_DIR] : []),
    ...impliedMirrors(environment),
    ...softwareRoots.filter(existsSync).flatMap((root) => readdirSync(root).map((name) => path.join(root, name))),
  ];
  return candidates.find((directory) => mirrors(directory, provider));
}

function mirrors(directory, { address, version }) {
  const type = path.basename(address);
  const packed = `terraform-provider-${type}_${version}_${PLATFORM}.zip`;
  return [path.join(version, PLATFORM), packed].some((form) => existsSync(path.join(directory, address, form)));
}

/**
 * Writes a CLI configuration by which Terraform finds its provider: in its registry, keeping the download for all
 * checkouts, or in a filesystem mirror where the registry cannot be reached. What was found once holds as long as the
 * lock and the mirror do.
 * @param {string} repository
 * @param {{executable: string}} python
 * @param {import('./progress.mjs').Progress} progress
 * @returns {Promise<string>} the configuration's path, for TF_CLI_CONFIG_FILE
 */
export async function configureTerraform(repository, python, progress) {
  const file = path.join(repository, '.local/terraform.tfrc');
  const provider = lockedProvider(path.join(repository, '.terraform.lock.hcl'));
  if (stillHolds(file, provider)) return file;
  await progress.step("Terraform's provider", '', async () => {
    const mirror = (await registryAnswers(provider.host, python)) ? undefined : mirrorOf(provider);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, cliConfiguration(provider, mirror));
    return mirror ? `from the mirror ${mirror}` : `from ${provider.host}`;
  });
  return file;
}

/** Asked by Python, which goes through a proxy and trusts authorities as the environment says; Node's fetch does not. */
async function registryAnswers(host, python) {
  const request = `import urllib.request as r; r.urlopen("https://${host}/.well-known/terraform.json", timeout=${REGISTRY_TIMEOUT_SECONDS})`;
  try {
    await run(python.executable, ['-c', request]);
    return true;
  } catch (error) {
    if (error instanceof SetupError) return false;
    throw error;
  }
}

function mirrorOf(provider) {
  const mirror = findMirror(provider, process.env);
  if (mirror) return mirror;
  throw new SetupError(
    `Terraform's provider ${provider.address} ${provider.version}: ${provider.host} does not answer, and no mirror ` +
      `holds it. Make one elsewhere by "terraform providers mirror DIRECTORY", and set TF_PLUGIN_MIRROR_DIR to it.`,
  );
}

/** The first line records what the configuration was made for: see stillHolds. */
function cliConfiguration(provider, mirror) {
  const record = `# ${JSON.stringify({ ...provider, mirror })}\ndisable_checkpoint = true\n`;
  if (mirror === undefined) {
    const downloads = path.join(cacheDirectory(), 'terraform-providers');
    mkdirSync(downloads, { recursive: true });
    return `${record}plugin_cache_dir = ${JSON.stringify(downloads)}\n`;
  }
  return `${record}provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(mirror)}
    include = [${JSON.stringify(provider.address)}]
  }
  direct {
    exclude = [${JSON.stringify(provider.address)}]
  }
}
`;
}

function stillHolds(file, provider) {
  if (!existsSync(file)) return false;
  const { mirror, ...recorded } = JSON.parse(readFileSync(file, 'utf8').split('\n')[0].slice(1));
  if (JSON.stringify(recorded) !== JSON.stringify(provider)) return false;
  return mirror === undefined || mirrors(mirror, provider);
}
