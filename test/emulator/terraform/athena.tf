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
