import { existsSync } from 'node:fs';
import { SetupError } from './errors.mjs';
import { run } from './run.mjs';

export const NEEDED = { node: '20.9', python: '3.11', terraform: '1.11' };

/** Whether `version` is `minimum` or newer; both as "major.minor" or longer. */
export function atLeast(version, minimum) {
  const have = version.split('.').map((part) => parseInt(part, 10));
  const need = minimum.split('.').map((part) => parseInt(part, 10));
  for (const [index, part] of need.entries()) {
    if ((have[index] ?? 0) !== part) return (have[index] ?? 0) > part;
  }
  return true;
}

/**
 * Makes sure of everything that the set-up cannot install itself, and reports all that is missing at once.
 * @returns {Promise<{python: {executable: string, version: string}}>} the Python 3.11 that was found
 * @throws {SetupError} naming for each missing one the version found, the one needed and how to get it
 */
export async function checkPrerequisites() {
  const [machine, node, python, terraform] = await Promise.all([
    checkMachine(),
    checkNode(),
    findPython(),
    checkTerraform(),
  ]);
  const missing = [machine, node, python.missing, terraform].filter((problem) => problem !== undefined);
  if (missing.length > 0) {
    throw new SetupError(`missing prerequisites\n${missing.map((problem) => `  - ${problem}`).join('\n')}`);
  }
  return { python };
}

function checkMachine() {
  if (process.platform === 'linux' && process.arch === 'x64') return undefined;
  return `Linux on x86_64: found ${process.platform} on ${process.arch}. The engines come as Linux x86_64 binaries.`;
}

function checkNode() {
  if (atLeast(process.versions.node, NEEDED.node)) return undefined;
  return `Node.js ${NEEDED.node} or newer: found ${process.versions.node}. Get it from nodejs.org or by "nvm install 20".`;
}

/** Python 3.11 exactly, as AWS Glue 5.1 has it: the jobs' wheels are built for it. */
async function findPython() {
  const describe = [
    'import json, os, sys',
    'import ensurepip, venv',
    'print(json.dumps({"version": ".".join(map(str, sys.version_info[:3])), "executable": os.path.realpath(sys.executable)}))',
  ].join('\n');
  const candidates = await Promise.all(
    ['python3.11', 'python3'].map((name) =>
      run(name, ['-c', describe]).then(
        (output) => ({ name, ...JSON.parse(output) }),
        (error) => ({ name, problem: lastLine(error.message) }),
      ),
    ),
  );
  const python = candidates.find(({ version }) => version?.startsWith(`${NEEDED.python}.`));
  if (python) return { executable: python.executable, version: python.version };
  const seen = candidates.map(({ name, version, problem }) =>
    version ? `${name} is ${version}` : `${name}: ${problem}`,
  );
  return {
    missing:
      `Python ${NEEDED.python} with venv and ensurepip: found ${seen.join(', ')}. ` +
      `Get it by "apt-get install python${NEEDED.python} python${NEEDED.python}-venv" or "pyenv install ${NEEDED.python}".`,
  };
}

/** Terraform, or what stands in for it: cdktf's variable, by which OpenTofu is chosen too. */
async function checkTerraform() {
  const program = process.env.TERRAFORM_BINARY_NAME || 'terraform';
  const how = 'Get it from developer.hashicorp.com/terraform/install or by "tfenv install".';
  let version;
  try {
    version = JSON.parse(await run(program, ['version', '-json'], { env: terraformEnvironment() })).terraform_version;
  } catch (error) {
    return `Terraform ${NEEDED.terraform} or newer: ${lastLine(error.message)}. ${how}`;
  }
  if (atLeast(version, NEEDED.terraform)) return undefined;
  return `Terraform ${NEEDED.terraform} or newer: found ${version}. ${how}`;
}

/** Keeps Terraform from asking whether there is a newer one, and from a configuration file that does not exist. */
function terraformEnvironment() {
  const { TF_CLI_CONFIG_FILE: file } = process.env;
  return { CHECKPOINT_DISABLE: '1', ...(file && !existsSync(file) ? { TF_CLI_CONFIG_FILE: '/dev/null' } : {}) };
}

/** The last line of an error of `run`: what the program said of it, or why it could not be started. */
function lastLine(text) {
  return text.trimEnd().split('\n').at(-1);
}
