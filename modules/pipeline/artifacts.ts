import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { S3Object } from '@cdktf/provider-aws/lib/s3-object';
import { AssetType, TerraformAsset } from 'cdktf';
import { Construct } from 'constructs';
import type { Bucket } from '../bucket';
import type { Grantee } from '../grantee';
import { check } from '../validation';
import { zip } from './zip';

/** The files that become artifacts; paths on this machine. */
export interface ArtifactFiles {
  /** Directory with a script `<job>.py` for each job and the package `trackman`, which they share. */
  readonly jobs: string;
  /** Wheels that Spark jobs need beyond what Glue ships: a zip whose name ends in .gluewheels.zip. */
  readonly wheels: string;
  /** Pure Python that is imported from its zip. */
  readonly libraries: string;
}

/** Where the files are in a checkout that is set up. */
export function artifactFiles(root: string): ArtifactFiles {
  return {
    jobs: join(root, 'glue-jobs'),
    wheels: join(root, 'dist/jobs/trackman.gluewheels.zip'),
    libraries: join(root, 'dist/jobs/pg8000.zip'),
  };
}

export interface JobArtifactsProps {
  readonly bucket: Bucket;
  readonly files: ArtifactFiles;
  /** The jobs whose scripts are shipped. */
  readonly scripts: readonly string[];
  /** What the jobs read as their contracts, as JSON. */
  readonly contracts: unknown;
  /** What the job `publish` reads as its marts, as JSON. */
  readonly marts: unknown;
}

/**
 * What jobs run, in S3 under names that carry the hash of their content: what is there never changes, so a run that has
 * started keeps what it started with, and a job runs what was reviewed. Every member is an S3 URI.
 */
export class JobArtifacts extends Construct {
  /** The package that the jobs share. */
  readonly library: string;
  readonly wheels: string;
  readonly libraries: string;
  readonly contracts: string;
  readonly marts: string;
  private readonly scripts: ReadonlyMap<string, string>;
  private readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { bucket, files, scripts, contracts, marts }: JobArtifactsProps) {
    super(scope, id);
    this.bucket = bucket;
    const script = (job: string) => this.upload(job, join(files.jobs, `${job}.py`), `jobs/${job}`, '.py');
    this.scripts = new Map(scripts.map((job) => [job, script(job)]));
    const library = packLibrary(join(files.jobs, 'trackman'), join(dirname(files.libraries), 'trackman.zip'));
    this.library = this.upload('library', library, 'jobs/trackman', '.zip');
    this.wheels = this.upload('wheels', files.wheels, 'jobs/trackman', '.gluewheels.zip');
    this.libraries = this.upload('libraries', files.libraries, 'jobs/pg8000', '.zip');
    this.contracts = this.uploadJson('contracts', contracts, 'contracts/');
    this.marts = this.uploadJson('marts', marts, 'marts/');
  }

  /** Script of one of the jobs. */
  script(job: string): string {
    const uri = this.scripts.get(job);
    check(uri !== undefined, {
      name: 'job',
      value: job,
      expected: `one of ${[...this.scripts.keys()].join(', ')}`,
      remedy: 'add it to the scripts of JobArtifacts',
    });
    return uri;
  }

  /** Allows to run jobs: Glue looks scripts and libraries up, and reads them, as the job's role. */
  grantRun(role: Grantee): void {
    this.bucket.grantList(role, 'jobs/');
    this.bucket.grantRead(role, 'jobs/');
  }

  /** Allows to read the contracts. */
  grantReadContracts(role: Grantee): void {
    this.bucket.grantRead(role, 'contracts/');
  }

  /** Allows to read the marts. */
  grantReadMarts(role: Grantee): void {
    this.bucket.grantRead(role, 'marts/');
  }

  /** Uploads a file as `<prefix>-<hash><extension>`. */
  private upload(id: string, path: string, prefix: string, extension: string): string {
    const assetHash = hash(readArtifact(path));
    const asset = new TerraformAsset(this, `${id}-file`, { path, type: AssetType.FILE, assetHash });
    return this.object(id, `${prefix}-${assetHash}${extension}`, { source: asset.path });
  }

  private uploadJson(id: string, value: unknown, prefix: string): string {
    const content = JSON.stringify(value, null, 2);
    return this.object(id, `${prefix}${hash(content)}.json`, { content, contentType: 'application/json' });
  }

  private object(id: string, key: string, body: { source: string } | { content: string; contentType: string }): string {
    const bucket = this.bucket.name;
    // The new one is there before a job names it, the old one until no job does.
    const lifecycle = { createBeforeDestroy: true };
    const object = new S3Object(this, id, { bucket, key, ...body, lifecycle, dependsOn: [this.bucket.encryption] });
    return `s3://${bucket}/${object.key}`;
  }
}

function readArtifact(path: string): Buffer {
  check(existsSync(path), {
    name: 'job artifact',
    value: path,
    expected: 'a file that the set-up makes or the repository holds',
    remedy: 'run: node scripts/setup.mjs',
  });
  return readFileSync(path);
}

/** Zips a Python package to `target`, so that `import <package>` works from the zip. Returns the target. */
function packLibrary(directory: string, target: string): string {
  check(existsSync(directory), {
    name: 'package that the jobs share',
    value: directory,
    expected: 'a directory',
    remedy: 'check out glue-jobs completely',
  });
  const entries = filesBelow(directory).map((path) => ({
    path: relative(dirname(directory), path),
    content: readFileSync(path),
  }));
  const own = `${target}.${process.pid}`;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(own, zip(entries));
  renameSync(own, target); // at once: another synth may be reading it
  return target;
}

/** Source files only: what Python compiles beside them differs from machine to machine. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name !== '__pycache__')
    .map((name) => join(directory, name))
    .flatMap((path) => (statSync(path).isDirectory() ? filesBelow(path) : [path]));
}

/** 16 hexadecimal digits of SHA-256: enough to tell the versions of one file apart. */
function hash(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
