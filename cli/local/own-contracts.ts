import { sources } from '../../sources';
import { inMode, type LogContract, type SourceContract } from '../../sources/contract';

/** One's own, in the place of all databases; folders of the landing zone, in which nothing lands, stay. */
export function contractsWith(contract: LogContract): SourceContract[] {
  return [contract, ...inMode('files', sources)];
}
