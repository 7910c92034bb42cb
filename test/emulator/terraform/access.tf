resource "aws_iam_role" "worker" {
  name                 = "terraform-test-worker"
  description          = "revision ${var.revision}"
  permissions_boundary = aws_iam_policy.boundary.arn
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "glue.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_policy" "boundary" {
  name   = "terraform-test-boundary"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
}

resource "aws_iam_policy" "read" {
  name = "terraform-test-read"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "${aws_s3_bucket.lake.arn}/r${var.revision}/*" }]
  })
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.worker.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_role_policy_attachment" "managed" {
  role       = aws_iam_role.worker.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole"
}

resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.worker.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["glue:GetTable"], Resource = "*" }] })
}

resource "aws_secretsmanager_secret" "empty" {
  name                    = "terraform-test/empty"
  description             = "revision ${var.revision}"
  kms_key_id              = aws_kms_key.key.arn
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret" "filled" {
  name                    = "terraform-test/filled"
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "filled" {
  secret_id                = aws_secretsmanager_secret.filled.id
  secret_string_wo         = jsonencode({ username = "reader", password = "never in state" })
  secret_string_wo_version = var.revision
}

resource "aws_ssm_parameter" "url" {
  name  = "/terraform-test/url"
  type  = "String"
  value = "postgresql://127.0.0.1:5432/revision${var.revision}"
}

resource "aws_ssm_parameter" "secure" {
  name   = "/terraform-test/secure"
  type   = "SecureString"
  key_id = aws_kms_key.key.arn
  value  = "revision ${var.revision}"
}

resource "aws_cloudwatch_log_group" "output" {
  name              = "/terraform-test/output"
  retention_in_days = var.revision == 1 ? 30 : 60
}

resource "aws_cloudwatch_log_group" "encrypted" {
  name              = "/terraform-test/encrypted"
  retention_in_days = var.revision == 1 ? 30 : 60
  kms_key_id        = aws_kms_key.key.arn
}

# --- Roles of services

resource "aws_iam_role" "monitoring" {
  name = "terraform-test-monitoring"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_iam_role" "flow_logs" {
  name = "terraform-test-flow-logs"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "flow_logs" {
  name = "write"
  role = aws_iam_role.flow_logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${aws_cloudwatch_log_group.encrypted.arn}:*"
    }]
  })
}

# --- The pipeline's way in

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = var.revision == 1 ? ["sts.amazonaws.com"] : ["sts.amazonaws.com", "revision-2"]
}

resource "aws_iam_role" "pipeline" {
  name = "terraform-test-pipeline"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:owner/repository:environment:revision-${var.revision}"
        }
      }
    }]
  })
}
