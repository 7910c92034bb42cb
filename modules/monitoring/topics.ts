import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic';
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy';
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription';
import { Construct } from 'constructs';
import type { Key } from '../key';
import { arn, type Location } from '../naming';
import { policyDocument, type Conditions, type Statement } from '../policy';
import { check } from '../validation';

export interface AlertTopicProps {
  readonly name: string;
  /** What its mails come from. */
  readonly displayName: string;
  readonly location: Location;
  readonly key: Key;
  /** Who is told: e-mail addresses and https URLs. Each has to confirm that it wants to be. */
  readonly subscribers: readonly string[];
}

const CLOUDWATCH = 'cloudwatch.amazonaws.com';
const BUDGETS = 'budgets.amazonaws.com';
const EVENTS = 'events.amazonaws.com';

/** A topic for alarms, rules and budgets of this account to publish to, encrypted with the platform's key. */
export class AlertTopic extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: AlertTopicProps) {
    super(scope, id);
    const { name, location, key } = props;
    // By name, not by reference: the key's policy names the topic, and the topic names the key.
    const topicArn = arn('sns', location, name);
    for (const service of [CLOUDWATCH, BUDGETS, EVENTS]) {
      const conditions = { StringEquals: { 'kms:EncryptionContext:aws:sns:topicArn': topicArn } };
      key.allowService({ service, conditions });
    }
    const topic = new SnsTopic(this, 'topic', {
      name,
      displayName: props.displayName,
      // Without a key of ours there is none: the one that AWS manages for SNS lets no other service publish.
      kmsMasterKeyId: key.arn,
    });
    new SnsTopicPolicy(this, 'policy', { arn: topic.arn, policy: policy(topicArn, location.account) });
    for (const [number, endpoint] of props.subscribers.entries()) {
      const protocol = protocolOf(endpoint, name);
      new SnsTopicSubscription(this, `subscriber-${number}`, { topicArn: topic.arn, protocol, endpoint });
    }
    this.arn = topic.arn;
  }
}

function policy(topic: string, account: string): string {
  const allow = (service: string, conditions?: Conditions): Statement => ({
    Effect: 'Allow',
    Principal: { Service: service },
    Action: 'sns:Publish',
    Resource: topic,
    ...(conditions && { Condition: conditions }),
  });
  const ofThisAccount = { StringEquals: { 'aws:SourceAccount': account } };
  return policyDocument([
    allow(CLOUDWATCH, ofThisAccount),
    allow(BUDGETS, ofThisAccount),
    // EventBridge does not say for whom it publishes: a condition would keep every rule out, and nobody be told.
    allow(EVENTS),
    {
      Effect: 'Deny',
      Principal: '*',
      Action: 'sns:Publish',
      Resource: topic,
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  ]);
}

function protocolOf(endpoint: string, topic: string): 'https' | 'email' {
  const protocol = endpoint.startsWith('https://') ? 'https' : 'email';
  check(protocol === 'https' || /^[^@\s/]+@[^@\s/]+$/.test(endpoint), {
    name: `subscriber of topic ${topic}`,
    value: endpoint,
    expected: 'an e-mail address or a URL that begins with https://',
    remedy: 'correct alarms.page or alarms.ticket of the environment',
  });
  return protocol;
}
