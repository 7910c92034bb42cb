resource "aws_athena_workgroup" "analysts" {
  name          = "terraform-test"
  description   = "revision ${var.revision}"
  force_destroy = true
  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = 10485760 * var.revision
    engine_version {
      selected_engine_version = "Athena engine version 3"
    }
    result_configuration {
      output_location = "s3://${aws_s3_bucket.lake.id}/results/"
      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = aws_kms_key.key.arn
      }
    }
  }
}

resource "aws_athena_named_query" "packaged" {
  name        = "packaged"
  description = "revision ${var.revision}"
  workgroup   = aws_athena_workgroup.analysts.id
  database    = aws_glue_catalog_database.raw.name
  query       = "select ${var.revision}"
}

resource "aws_athena_prepared_statement" "packaged" {
  name            = "packaged"
  workgroup       = aws_athena_workgroup.analysts.name
  query_statement = "select * from t where revision = ${var.revision} and id = ?"
}

resource "aws_athena_workgroup" "pipeline" {
  name          = "terraform-test-pipeline"
  state         = var.revision == 1 ? "ENABLED" : "DISABLED"
  force_destroy = true
  configuration {
    enforce_workgroup_configuration    = var.revision == 1
    publish_cloudwatch_metrics_enabled = var.revision == 1
    bytes_scanned_cutoff_per_query     = var.revision == 1 ? 10485760 : null
    requester_pays_enabled             = var.revision == 2
    result_configuration {
      output_location       = "s3://${aws_s3_bucket.lake.id}/results-${var.revision}/"
      expected_bucket_owner = local.account_id
      acl_configuration {
        s3_acl_option = "BUCKET_OWNER_FULL_CONTROL"
      }
      encryption_configuration {
        encryption_option = var.revision == 1 ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.revision == 1 ? null : aws_kms_key.key.arn
      }
    }
  }
  tags = { revision = var.revision }
}

resource "aws_athena_prepared_statement" "same_name" {
  name            = "packaged"
  workgroup       = aws_athena_workgroup.pipeline.name
  description     = "of another workgroup"
  query_statement = "select 1"
}
