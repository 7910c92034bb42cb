import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';

/**
 * Puts the jobs' zip files where synthesis finds them.
 * @param {string} repository
 * @param {{jobWheels: string, jobLibraries: string}} components their directories, each with one file
 * @returns {{jobWheels: string, jobLibraries: string}} the files in dist/jobs
 */
export function copyJobArchives(repository, { jobWheels, jobLibraries }) {
  const jobs = path.join(repository, 'dist/jobs');
  mkdirSync(jobs, { recursive: true });
  return { jobWheels: copyOnlyFile(jobWheels, jobs), jobLibraries: copyOnlyFile(jobLibraries, jobs) };
}

function copyOnlyFile(from, to) {
  const [name] = readdirSync(from);
  const source = path.join(from, name);
  const target = path.join(to, name);
  if (!existsSync(target) || !readFileSync(source).equals(readFileSync(target))) {
    copyFileSync(source, `${target}.new`);
    renameSync(`${target}.new`, target);
  }
  return target;
}
