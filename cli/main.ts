#!/usr/bin/env node
/** `trackman`: the platform's command line. Data goes to stdout, everything else to stderr. */
import { Command } from 'commander';
import { applyCommand } from './commands/apply';
import { bookmarkCommand } from './commands/bookmark';
import { bootstrapCommand } from './commands/bootstrap';
import { driftCommand } from './commands/drift';
import { environmentCommand } from './commands/environment';
import { eraseCommand } from './commands/erase';
import { localCommand } from './commands/local';
import { migrateCommand } from './commands/migrate';
import { planCommand } from './commands/plan';
import { preflightCommand } from './commands/preflight';
import { sourceCommand } from './commands/source';
import { statusCommand } from './commands/status';
import { validateCommand } from './commands/validate';
import { explain } from './errors';

// The warning is about versions of the SDK to come; ours are pinned and run on every Node that we support.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

function program(): Command {
  const trackman = new Command('trackman')
    .description('Runs and operates the Trackman data platform.')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed or a promise broken, 2 bad input, 130 interrupted.')
    .exitOverride() // bad usage is thrown to `main`, which knows the exit codes
    .addCommand(bootstrapCommand())
    .addCommand(environmentCommand())
    .addCommand(preflightCommand())
    .addCommand(validateCommand())
    .addCommand(planCommand())
    .addCommand(applyCommand())
    .addCommand(driftCommand())
    .addCommand(migrateCommand())
    .addCommand(sourceCommand())
    .addCommand(eraseCommand())
    .addCommand(statusCommand())
    .addCommand(bookmarkCommand())
    .addCommand(localCommand());
  inherit(trackman);
  return trackman;
}

/** A command that was made by itself does not have its parent's settings yet. */
function inherit(parent: Command): void {
  for (const command of parent.commands) inherit(command.copyInheritedSettings(parent));
}

async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  try {
    await program().parseAsync();
  } catch (error) {
    process.exitCode = explain('trackman', error);
  }
}

/** A reader who has seen enough (`| head`) is no failure: the command goes on, and its exit code counts. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

void main();
