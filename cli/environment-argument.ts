import { Argument, InvalidArgumentError } from 'commander';
import { environments } from '../envs';
import type { Environment } from '../envs/environment';

/** `<env>` of a command, given to its action as the validated environment. */
export function environmentArgument(): Argument {
  return new Argument('<env>', `environment: ${known()}`).argParser(environmentNamed);
}

function environmentNamed(name: string): Environment {
  const environment = environments.find((candidate) => candidate.name === name);
  if (!environment) throw new InvalidArgumentError(`There is no environment '${name}'; there is: ${known()}.`);
  return environment;
}

function known(): string {
  return environments.map(({ name }) => name).join(', ');
}
