import { dev } from './dev';
import type { Environment } from './environment';

/** Every environment, in the order in which a release reaches them. */
export const environments: readonly Environment[] = [dev];
