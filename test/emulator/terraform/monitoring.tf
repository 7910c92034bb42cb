resource "aws_sns_topic" "page" {
  name              = "terraform-test-page"
  display_name      = "revision ${var.revision}"
  kms_master_key_id = aws_kms_key.key.arn
}

resource "aws_sns_topic_policy" "page" {
  arn = aws_sns_topic.page.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.page.arn
    }]
  })
}

resource "aws_sns_topic_subscription" "mail" {
  topic_arn = aws_sns_topic.page.arn
  protocol  = "email"
  endpoint  = "revision${var.revision}@example.com"
}

resource "aws_sns_topic_subscription" "pager" {
  topic_arn = aws_sns_topic.page.arn
  protocol  = "https"
  endpoint  = "https://pager.example.com/hook"
}

resource "aws_cloudwatch_metric_alarm" "late" {
  alarm_name          = "terraform-test-late"
  alarm_description   = "revision ${var.revision}"
  namespace           = "Test"
  metric_name         = "Freshness"
  dimensions          = { Target = "lake" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 1
  threshold           = 3600 * var.revision
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.page.arn]
  ok_actions          = [aws_sns_topic.page.arn]
}

resource "aws_cloudwatch_composite_alarm" "unhealthy" {
  alarm_name        = "terraform-test-unhealthy"
  alarm_description = "revision ${var.revision}"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.late.alarm_name}\")"
  alarm_actions     = [aws_sns_topic.page.arn]
}

resource "aws_cloudwatch_dashboard" "health" {
  dashboard_name = "terraform-test"
  dashboard_body = jsonencode({
    widgets = [
      { type = "text", x = 0, y = 0, width = 24, height = 2, properties = { markdown = "revision ${var.revision}" } },
      { type = "alarm", x = 0, y = 2, width = 24, height = 2, properties = { alarms = [aws_cloudwatch_metric_alarm.late.arn] } },
    ]
  })
}

resource "aws_cloudwatch_event_rule" "job_failed" {
  name        = "terraform-test-job-failed"
  description = "revision ${var.revision}"
  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail        = { jobName = [aws_glue_job.shell.name], state = ["FAILED", "TIMEOUT"] }
  })
}

resource "aws_cloudwatch_event_target" "page" {
  rule      = aws_cloudwatch_event_rule.job_failed.name
  target_id = "page"
  arn       = aws_sns_topic.page.arn
  input_transformer {
    input_paths    = { job = "$.detail.jobName" }
    input_template = "{\"job\": <job>, \"revision\": ${var.revision}}"
  }
}

resource "aws_budgets_budget" "month" {
  name         = "terraform-test"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = 100 * var.revision
  limit_unit   = "USD"
  notification {
    notification_type         = "ACTUAL"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.page.arn]
  }
  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100 + var.revision
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.page.arn]
  }
}
