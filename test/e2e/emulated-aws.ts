/** An emulator of a test's own, and Terraform and AWS calls against it. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { root } from './trackman';

const toolchainFile = join(root, '.local', 'toolchain.json');

export class EmulatedAws {
  private constructor(
    readonly endpoint: string,
    /** PEM file of the authority that signs its databases' certificates. */
    readonly caFile: string,
    private readonly child: ChildProcess,
    private readonly directory: string,
  ) {}

  /** @param options of `python -m emulator` */
  static async start(...options: string[]): Promise<EmulatedAws> {
    const directory = mkdtempSync(join(tmpdir(), 'emulated-aws-'));
    const { emulatorPython } = toolchain();
    const argv = ['-m', 'emulator', '--port', '0', '--data-dir', directory, '--toolchain', toolchainFile, '--lifeline'];
    const child = spawn(emulatorPython!, [...argv, ...options], { cwd: root, stdio: ['pipe', 'pipe', 'ignore'] });
    const { endpoint, caFile } = await new Promise<{ endpoint: string; caFile: string }>((resolve, reject) => {
      createInterface(child.stdout).once('line', (line) =>
        resolve(JSON.parse(line) as { endpoint: string; caFile: string }),
      );
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the emulator ended with exit code ${code}`)));
    });
    return new EmulatedAws(endpoint, caFile, child, directory);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin!.destroy();
    await ended;
    rmSync(this.directory, { recursive: true });
  }

  /** The log of every call. */
  get requests(): string {
    return join(this.directory, 'requests.jsonl');
  }

  /** Variables by which any AWS client reaches it as an administrator. */
  variables(account: string, region: string): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_ACCESS_KEY_ID: accessKey(account),
      AWS_SECRET_ACCESS_KEY: 'any',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
    };
  }

  /** `terraform init` and `apply` in a synthesized stack's directory. */
  async apply(directory: string, account: string, region: string): Promise<void> {
    const variables = this.variables(account, region);
    await this.terraform(directory, variables, 'init');
    await this.terraform(directory, variables, 'apply', '-auto-approve', '-parallelism=30');
  }

  /**
   * Terraform in a synthesized stack's directory.
   * @param variables who runs it, and where: see variables()
   * @returns its stdout; a failure has its stderr
   */
  async terraform(directory: string, variables: Record<string, string>, ...argv: string[]): Promise<string> {
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|TF)_/.test(name))),
      ...variables,
      CHECKPOINT_DISABLE: '1',
      TF_INPUT: '0',
      TF_CLI_CONFIG_FILE: toolchain().terraformCliConfig,
    };
    const [command, ...options] = argv;
    const { stdout } = await promisify(execFile)('terraform', [command!, '-no-color', ...options], {
      cwd: directory,
      env,
      maxBuffer: 2 ** 26,
    });
    return stdout;
  }

  /** An operation of a service that the product never calls, and has no client for: by AWS's query protocol. */
  async query(service: 'sns' | 'sqs', region: string, account: string, call: Record<string, string>): Promise<string> {
    const scope = `${accessKey(account)}/20261124/${region}/${service}/aws4_request`;
    const response = await fetch(this.endpoint, {
      method: 'POST',
      headers: { Authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none` },
      body: new URLSearchParams(call),
    });
    const body = await response.text();
    if (!response.ok) throw new Error(`${service} ${call['Action']}: ${body}`);
    return body;
  }
}

function toolchain(): Record<string, string> {
  return JSON.parse(readFileSync(toolchainFile, 'utf8')) as Record<string, string>;
}

function accessKey(account: string): string {
  return `AKIAADMN${account}`;
}
