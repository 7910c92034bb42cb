/**
 * A source's address: `postgresql://host:port/database`, without user, password or options. A regular expression that
 * both Terraform and JavaScript read.
 */
export const SOURCE_ADDRESS = '^postgresql://[^/@?]+:[0-9]+/[^/?]+$';
