import { bayTelemetry } from './bay-telemetry';
import { clubMemberships } from './club-memberships';
import type { SourceContract } from './contract';
import { trackmanBackend } from './trackman-backend';

/** Every source of the platform. */
export const sources: readonly SourceContract[] = [trackmanBackend, clubMemberships, bayTelemetry];
