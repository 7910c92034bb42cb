resource "aws_db_subnet_group" "main" {
  name        = "terraform-test"
  description = "revision ${var.revision}"
  subnet_ids  = aws_subnet.private[*].id
}

resource "aws_db_parameter_group" "main" {
  name   = "terraform-test"
  family = "postgres16"

  parameter {
    name         = "rds.logical_replication"
    value        = "1"
    apply_method = "pending-reboot"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = var.revision == 1 ? "1000" : "2000"
  }

  dynamic "parameter" {
    for_each = var.revision == 1 ? [1] : []
    content {
      name  = "work_mem"
      value = "65536"
    }
  }
}

resource "aws_db_instance" "main" {
  identifier                          = "terraform-test"
  engine                              = "postgres"
  engine_version                      = "16"
  engine_lifecycle_support            = "open-source-rds-extended-support-disabled"
  instance_class                      = "db.t4g.micro"
  allocated_storage                   = 20
  max_allocated_storage               = 100
  storage_type                        = "gp3"
  storage_encrypted                   = true
  kms_key_id                          = aws_kms_key.key.arn
  db_name                             = "app"
  username                            = "app_admin"
  manage_master_user_password         = true
  db_subnet_group_name                = aws_db_subnet_group.main.name
  vpc_security_group_ids              = [aws_security_group.jobs.id]
  parameter_group_name                = aws_db_parameter_group.main.name
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  iam_database_authentication_enabled = true
  performance_insights_enabled        = true
  backup_retention_period             = 7
  backup_window                       = "02:00-03:00"
  maintenance_window                  = "sun:04:00-sun:05:00"
  copy_tags_to_snapshot               = true
  skip_final_snapshot                 = true
}
