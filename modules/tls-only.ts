/** A statement of a resource's policy that refuses whoever does not come by TLS. */
export function tlsOnly(action: string, resource: string | readonly string[]): object {
  return {
    Effect: 'Deny',
    Principal: '*',
    Action: action,
    Resource: resource,
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
}
