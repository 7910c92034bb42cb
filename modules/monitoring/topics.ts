import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic';
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy';
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription';
import { Construct } from 'constructs';
import type { Key } from '../key';
import { areDifferent, protocolOf } from '../limits';
import { arn, type Location } from '../naming';
import { policyDocument, tlsOnly, type Conditions, type Statement } from '../policy';
import { check, checkRules } from '../validation';

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
    const { name, displayName, location, key, subscribers } = props;
    checkRules(
      `topic ${name}`,
      [
        {
          name: 'name',
          value: name,
          holds: /^[\w-]{1,256}$/.test(name),
          expected: 'at most 256 letters, digits, hyphens and underscores',
        },
        {
          name: 'displayName',
          value: displayName,
          holds: displayName.length <= 100,
          expected: 'at most 100 characters',
        },
        // SNS has one subscription an address: two resources would be one, and the first to go takes it along.
        { name: 'subscribers', value: subscribers, holds: areDifferent(subscribers), expected: 'each of them once' },
      ],
      'correct alarms.page or alarms.ticket of the environment, or the names in modules/naming.ts',
    );
    // By name, not by reference: the key's policy names the topic, and the topic names the key.
    const topicArn = arn('sns', location, name);
    for (const service of [CLOUDWATCH, BUDGETS, EVENTS]) {
      const conditions = { StringEquals: { 'kms:EncryptionContext:aws:sns:topicArn': topicArn } };
      key.allowService({ service, conditions });
    }
    const topic = new SnsTopic(this, 'topic', {
      name,
      displayName,
      // Without a key of ours there is none: the one that AWS manages for SNS lets no other service publish.
      kmsMasterKeyId: key.arn,
    });
    new SnsTopicPolicy(this, 'policy', { arn: topic.arn, policy: policy(topicArn, location.account) });
    for (const [number, endpoint] of subscribers.entries()) {
      const protocol = checkedProtocol(endpoint, name);
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
    tlsOnly('sns:Publish', topic),
  ]);
}

function checkedProtocol(endpoint: string, topic: string): 'https' | 'email' {
  const protocol = protocolOf(endpoint);
  check(protocol !== undefined, {
    name: `subscriber of topic ${topic}`,
    value: endpoint,
    expected: 'an e-mail address or a URL that begins with https://',
    remedy: 'correct alarms.page or alarms.ticket of the environment',
  });
  return protocol;
}
