resource "aws_glue_catalog_database" "raw" {
  name         = "terraform_test"
  description  = "revision ${var.revision}"
  location_uri = "s3://${aws_s3_bucket.lake.id}/raw"
}

resource "aws_glue_connection" "source" {
  name        = "terraform-test"
  description = "revision ${var.revision}"
  connection_properties = {
    JDBC_CONNECTION_URL = "jdbc:postgresql://127.0.0.1:5432/revision${var.revision}"
    JDBC_ENFORCE_SSL    = "true"
    SECRET_ID           = aws_secretsmanager_secret.filled.name
  }
  physical_connection_requirements {
    availability_zone      = aws_subnet.private[0].availability_zone
    subnet_id              = aws_subnet.private[0].id
    security_group_id_list = [aws_security_group.jobs.id]
  }
}

resource "aws_glue_crawler" "source" {
  name          = "terraform-test"
  description   = "revision ${var.revision}"
  database_name = aws_glue_catalog_database.raw.name
  role          = aws_iam_role.worker.arn
  schedule      = "cron(0,30 * * * ? *)"
  table_prefix  = "r${var.revision}_"
  jdbc_target {
    connection_name = aws_glue_connection.source.name
    path            = "app/public/%"
  }
  schema_change_policy {
    update_behavior = "UPDATE_IN_DATABASE"
    delete_behavior = "DEPRECATE_IN_DATABASE"
  }
  recrawl_policy {
    recrawl_behavior = "CRAWL_EVERYTHING"
  }
}

resource "aws_glue_job" "spark" {
  name              = "terraform-test-spark"
  role_arn          = aws_iam_role.worker.arn
  glue_version      = "5.1"
  worker_type       = "G.1X"
  number_of_workers = 2
  timeout           = 30 * var.revision
  max_retries       = 1
  execution_class   = "STANDARD"
  connections       = [aws_glue_connection.source.name]
  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${aws_s3_bucket.lake.id}/${aws_s3_object.script.key}"
  }
  execution_property {
    max_concurrent_runs = 1
  }
  notification_property {
    notify_delay_after = 10
  }
  default_arguments = {
    "--datalake-formats" = "iceberg"
    "--revision"         = var.revision
  }
}

resource "aws_glue_job" "shell" {
  name         = "terraform-test-shell"
  role_arn     = aws_iam_role.worker.arn
  max_capacity = 0.0625
  timeout      = 10 * var.revision
  command {
    name            = "pythonshell"
    python_version  = "3.9"
    script_location = "s3://${aws_s3_bucket.lake.id}/${aws_s3_object.script.key}"
  }
}

resource "aws_glue_workflow" "pipeline" {
  name                = "terraform-test"
  description         = "revision ${var.revision}"
  max_concurrent_runs = 1
}

resource "aws_glue_trigger" "schedule" {
  name          = "terraform-test-schedule"
  type          = "SCHEDULED"
  schedule      = "cron(${10 * var.revision},40 * * * ? *)"
  workflow_name = aws_glue_workflow.pipeline.name
  actions {
    job_name = aws_glue_job.spark.name
  }
}

resource "aws_glue_trigger" "success" {
  name          = "terraform-test-success"
  type          = "CONDITIONAL"
  workflow_name = aws_glue_workflow.pipeline.name
  predicate {
    conditions {
      job_name = aws_glue_job.spark.name
      state    = var.revision == 1 ? "SUCCEEDED" : "FAILED"
    }
  }
  actions {
    job_name = aws_glue_job.shell.name
    arguments = {
      "--revision" = var.revision
    }
  }
}
