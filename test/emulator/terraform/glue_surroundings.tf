resource "aws_kms_key" "glue" {
  description             = "revision ${var.revision}"
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Effect    = "Allow"
        Principal = { Service = "logs.eu-central-1.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:${data.aws_caller_identity.current.account_id}:log-group:*"
          }
        }
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "glue" {
  name              = "/terraform-test/glue"
  kms_key_id        = aws_kms_key.glue.arn
  retention_in_days = var.revision == 1 ? 14 : 90
}

resource "aws_glue_security_configuration" "encrypted" {
  name = "terraform-test"
  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = aws_kms_key.glue.arn
    }
    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = aws_kms_key.glue.arn
    }
    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = aws_kms_key.glue.arn
    }
  }
}

resource "aws_glue_data_catalog_encryption_settings" "catalog" {
  data_catalog_encryption_settings {
    encryption_at_rest {
      catalog_encryption_mode = "SSE-KMS"
      sse_aws_kms_key_id      = aws_kms_key.glue.arn
    }
    connection_password_encryption {
      return_connection_password_encrypted = true
      aws_kms_key_id                       = aws_kms_key.glue.arn
    }
  }
}

resource "aws_glue_classifier" "csv" {
  name = "terraform-test-csv"
  csv_classifier {
    contains_header = "PRESENT"
    delimiter       = var.revision == 1 ? "," : ";"
    header          = ["bay", "reading"]
    quote_symbol    = "\""
  }
}

resource "aws_glue_classifier" "json" {
  name = "terraform-test-json"
  json_classifier {
    json_path = "$.revision${var.revision}[*]"
  }
}

resource "aws_glue_connection" "network" {
  name            = "terraform-test-network"
  description     = "revision ${var.revision}"
  connection_type = "NETWORK"
  physical_connection_requirements {
    availability_zone      = aws_subnet.private[0].availability_zone
    subnet_id              = aws_subnet.private[0].id
    security_group_id_list = [aws_security_group.jobs.id]
  }
}

resource "aws_glue_crawler" "stores" {
  name                   = "terraform-test-stores"
  database_name          = aws_glue_catalog_database.raw.name
  role                   = aws_iam_role.worker.arn
  classifiers            = [aws_glue_classifier.json.name, aws_glue_classifier.csv.name]
  security_configuration = aws_glue_security_configuration.encrypted.name
  jdbc_target {
    connection_name            = aws_glue_connection.source.name
    path                       = "app/public/%"
    enable_additional_metadata = ["COMMENTS", "RAWTYPES"]
  }
  s3_target {
    path        = "s3://${aws_s3_bucket.lake.id}/landing/revision${var.revision}/"
    exclusions  = ["**.tmp"]
    sample_size = 10
  }
}

resource "aws_glue_job" "encrypted" {
  name                   = "terraform-test-encrypted"
  role_arn               = aws_iam_role.worker.arn
  glue_version           = "5.1"
  worker_type            = "G.1X"
  number_of_workers      = 2
  timeout                = 30
  execution_class        = "STANDARD"
  security_configuration = aws_glue_security_configuration.encrypted.name
  connections            = [aws_glue_connection.network.name]
  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${aws_s3_bucket.lake.id}/${aws_s3_object.script.key}"
  }
  default_arguments = {
    "--enable-auto-scaling"          = "true"
    "--enable-observability-metrics" = "true"
    "--enable-metrics"               = "true"
    "--enable-spark-ui"              = "false"
    "--revision"                     = var.revision
  }
}

resource "aws_glue_workflow" "landing" {
  name                = "terraform-test-landing"
  max_concurrent_runs = 1
}

resource "aws_glue_trigger" "landed" {
  name          = "terraform-test-landed"
  type          = "EVENT"
  workflow_name = aws_glue_workflow.landing.name
  actions {
    job_name = aws_glue_job.encrypted.name
  }
  event_batching_condition {
    batch_size   = 10 * var.revision
    batch_window = 300
  }
}

resource "aws_glue_trigger" "daily" {
  name     = "terraform-test-daily"
  type     = "SCHEDULED"
  schedule = "cron(25 ${var.revision} * * ? *)"
  actions {
    job_name = aws_glue_job.encrypted.name
  }
}

resource "aws_cloudwatch_event_rule" "landed" {
  name        = "terraform-test-landed"
  description = "revision ${var.revision}"
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail        = { bucket = { name = [aws_s3_bucket.lake.id] }, object = { key = [{ prefix = "landing/" }] } }
  })
}

resource "aws_cloudwatch_event_rule" "fallback" {
  name                = "terraform-test-fallback"
  schedule_expression = "cron(5 0,${6 * var.revision} * * ? *)"
}

resource "aws_iam_role" "events" {
  name = "terraform-test-events"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_cloudwatch_event_target" "landed" {
  for_each = {
    landed   = aws_cloudwatch_event_rule.landed.name
    fallback = aws_cloudwatch_event_rule.fallback.name
  }
  rule     = each.value
  arn      = aws_glue_workflow.landing.arn
  role_arn = aws_iam_role.events.arn
}

resource "aws_lakeformation_data_lake_settings" "grants" {
  admins = [aws_iam_role.events.arn]
  dynamic "create_database_default_permissions" {
    for_each = var.revision == 1 ? [1] : []
    content {
      permissions = ["ALL"]
      principal   = "IAM_ALLOWED_PRINCIPALS"
    }
  }
  dynamic "create_table_default_permissions" {
    for_each = var.revision == 1 ? [1] : []
    content {
      permissions = ["ALL"]
      principal   = "IAM_ALLOWED_PRINCIPALS"
    }
  }
}

resource "aws_lakeformation_permissions" "database" {
  principal   = aws_iam_role.worker.arn
  permissions = ["DESCRIBE", "CREATE_TABLE"]
  database {
    name = aws_glue_catalog_database.raw.name
  }
}

resource "aws_lakeformation_permissions" "tables" {
  principal   = aws_iam_role.worker.arn
  permissions = ["DESCRIBE", "SELECT"]
  table {
    database_name = aws_glue_catalog_database.raw.name
    wildcard      = true
  }
}
