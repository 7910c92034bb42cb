/** What breaks a rule, was reviewed, and stays. One that excuses nothing any more fails the tests. */
export interface Reviewed {
  /** The rule's name. */
  readonly rule: string;
  /** Type and id of the resource. */
  readonly title: string;
  readonly reason: string;
}

const boundary = {
  title: 'aws_iam_policy boundary',
  reason: 'it grants nothing: whatever it allows, a role must be granted by a policy that keeps the rules',
};

export const reviewed: readonly Reviewed[] = [
  { rule: 'no permission is all of a service', ...boundary },
  { rule: 'no permission is on everything', ...boundary },
];
