import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SetupError } from './errors.mjs';
import { sitePackages } from './python.mjs';
import { run } from './run.mjs';

/**
 * Where Linux distributions keep the Java form of the system's certificate authorities. A JRE that was installed as a
 * Python package knows only its own: behind a proxy that has an authority of its own it would trust nothing.
 */
const SYSTEM_TRUST_STORES = [
  '/etc/ssl/certs/java/cacerts', // Debian, Ubuntu
  '/etc/pki/java/cacerts', // Fedora, Red Hat
  '/etc/pki/ca-trust/extracted/java/cacerts',
  '/var/lib/ca-certificates/java-cacerts', // SUSE
];

/** What every distribution leaves it at: nothing in a trust store is secret. */
const TRUST_STORE_PASSWORD = '-Djavax.net.ssl.trustStorePassword=changeit';

/** The artifact's name as a file. */
export function fileName({ name, version, type }) {
  return `${name}-${version}.${type}`;
}

/**
 * Downloads artifacts of the Maven repository into `directory` by Apache Ivy, which pyspark brings along.
 * @param {import('./artifacts.mjs').Artifact[]} artifacts
 * @param {string} directory
 * @param {{java: string, ivy: string}} tools a Java home, and Ivy's jar
 * @throws {SetupError} when a file is not the one that was pinned
 */
export async function downloadArtifacts(artifacts, directory, { java, ivy }) {
  const work = path.join(directory, 'ivy');
  mkdirSync(work);
  writeFileSync(path.join(work, 'settings.xml'), IVY_SETTINGS);
  writeFileSync(path.join(work, 'ivy.xml'), ivyModule(artifacts));
  const trustStore = SYSTEM_TRUST_STORES.find(existsSync);
  await run(path.join(java, 'bin/java'), [
    ...(trustStore ? [`-Djavax.net.ssl.trustStore=${trustStore}`, TRUST_STORE_PASSWORD] : []),
    ...[`-Duser.home=${work}`, '-jar', ivy, '-error'],
    ...['-settings', path.join(work, 'settings.xml'), '-ivy', path.join(work, 'ivy.xml')],
    ...['-cache', path.join(work, 'cache'), '-retrieve', path.join(directory, '[artifact]-[revision].[ext]')],
  ]);
  rmSync(work, { recursive: true });
  for (const artifact of artifacts) await verify(path.join(directory, fileName(artifact)), artifact.sha256);
}

/** The path of Ivy's jar in a virtual environment with pyspark. */
export function ivyOf(environment) {
  const jars = path.join(sitePackages(environment), 'pyspark/jars');
  return path.join(
    jars,
    readdirSync(jars).find((name) => /^ivy-.*\.jar$/.test(name)),
  );
}

async function verify(file, expected) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const actual = hash.digest('hex');
  if (actual === expected) return;
  throw new SetupError(
    `${path.basename(file)} has SHA-256 ${actual}, expected ${expected}: what was downloaded is not the file that was ` +
      'pinned. Nothing was installed; try again, and if it stays so, find out who serves that file.',
  );
}

// The metadata of the artifacts is not read (usepoms): all that is needed is listed, and verified, here.
const IVY_SETTINGS = `<ivysettings>
  <settings defaultResolver="maven"/>
  <resolvers><ibiblio name="maven" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
`;

function ivyModule(artifacts) {
  const dependencies = artifacts.map(
    ({ organisation, name, version, type }) =>
      `<dependency org="${organisation}" name="${name}" rev="${version}" conf="default->default">` +
      `<artifact name="${name}" type="${type}" ext="${type}"/></dependency>`,
  );
  return `<ivy-module version="2.0">
  <info organisation="trackman" module="engines"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</ivy-module>
`;
}
