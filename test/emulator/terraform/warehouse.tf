# A third zone of its own: the other subnets are in two.
resource "aws_subnet" "warehouse" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.10.0/24"
  availability_zone = data.aws_availability_zones.available.names[2]
}

resource "aws_iam_role" "spectrum" {
  name = "terraform-test-spectrum"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"] }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "spectrum" {
  name = "read"
  role = aws_iam_role.spectrum.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["glue:GetDatabase", "kms:Decrypt"], Resource = "*" }]
  })
}

resource "aws_redshiftserverless_namespace" "main" {
  namespace_name                   = "terraform-test"
  db_name                          = "warehouse"
  admin_username                   = "admin"
  manage_admin_password            = true
  admin_password_secret_kms_key_id = aws_kms_key.key.arn
  kms_key_id                       = aws_kms_key.key.arn
  iam_roles                        = [aws_iam_role.spectrum.arn]
  default_iam_role_arn             = aws_iam_role.spectrum.arn
  log_exports                      = var.revision == 1 ? ["userlog"] : ["userlog", "connectionlog"]
  tags                             = { revision = var.revision }
}

resource "aws_redshiftserverless_workgroup" "main" {
  workgroup_name       = "terraform-test"
  namespace_name       = aws_redshiftserverless_namespace.main.namespace_name
  base_capacity        = 8 * var.revision
  max_capacity         = 32
  enhanced_vpc_routing = true
  publicly_accessible  = false
  subnet_ids           = [aws_subnet.private[0].id, aws_subnet.private[1].id, aws_subnet.warehouse.id]
  security_group_ids   = [aws_security_group.jobs.id]

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }

  # AWS tells parameters that nobody set, also such as this provider does not know.
  lifecycle {
    ignore_changes = [config_parameter]
    postcondition {
      condition     = contains(self.config_parameter, { parameter_key = "require_ssl", parameter_value = "true" })
      error_message = "require_ssl was changed by hand"
    }
  }
}

resource "aws_redshiftserverless_usage_limit" "main" {
  resource_arn  = aws_redshiftserverless_workgroup.main.arn
  usage_type    = "serverless-compute"
  period        = "daily"
  amount        = 10 * var.revision
  breach_action = var.revision == 1 ? "log" : "deactivate"
}

resource "aws_redshiftdata_statement" "external_schema" {
  workgroup_name = aws_redshiftserverless_workgroup.main.workgroup_name
  database       = aws_redshiftserverless_namespace.main.db_name
  secret_arn     = aws_redshiftserverless_namespace.main.admin_password_secret_arn
  sql            = "CREATE EXTERNAL SCHEMA IF NOT EXISTS lake FROM DATA CATALOG DATABASE '${aws_glue_catalog_database.raw.name}' REGION 'eu-central-1' IAM_ROLE default"
  depends_on     = [aws_iam_role_policy.spectrum]
}

# Replaced by a changed text; the first grant stays.
resource "aws_redshiftdata_statement" "grant" {
  workgroup_name = aws_redshiftdata_statement.external_schema.workgroup_name
  database       = aws_redshiftdata_statement.external_schema.database
  secret_arn     = aws_redshiftserverless_namespace.main.admin_password_secret_arn
  sql            = var.revision == 1 ? "GRANT USAGE ON SCHEMA lake TO PUBLIC" : "REVOKE USAGE ON SCHEMA lake FROM PUBLIC"
}
