import { BudgetsBudget } from '@cdktf/provider-aws/lib/budgets-budget';
import { Construct } from 'constructs';
import { names } from '../naming';
import { check } from '../validation';
import type { AlertTopic } from './topics';

export interface BudgetProps {
  /** What the account may cost in a month, in USD. */
  readonly monthlyUsd: number;
  readonly page: AlertTopic;
  readonly ticket: AlertTopic;
}

/** What the whole account may cost in a month, and who is told on the way there. */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, { monthlyUsd, page, ticket }: BudgetProps) {
    super(scope, id);
    check(monthlyUsd > 0 && Number.isFinite(monthlyUsd), {
      name: 'monthly budget',
      value: monthlyUsd,
      expected: 'more than 0 US dollars',
      remedy: 'correct budget.monthlyUsd in the environment',
    });
    const at = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number, topic: AlertTopic) => ({
      notificationType,
      threshold,
      thresholdType: 'PERCENTAGE',
      comparisonOperator: 'GREATER_THAN',
      subscriberSnsTopicArns: [topic.arn],
    });
    new BudgetsBudget(this, 'budget', {
      name: names.monitoring.budget,
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      limitAmount: String(monthlyUsd),
      limitUnit: 'USD',
      notification: [at('ACTUAL', 80, ticket), at('FORECASTED', 100, ticket), at('ACTUAL', 100, page)],
    });
  }
}
