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

  dynamic "parameter" {
    for_each = {
      "rds.force_ssl"    = "1"
      log_connections    = "1"
      log_disconnections = "1"
      log_lock_waits     = "1"
      log_statement      = "ddl"
      log_temp_files     = "10240"
      statement_timeout  = 60000 * var.revision
    }
    content {
      name  = parameter.key
      value = parameter.value
    }
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
  identifier                            = "terraform-test"
  engine                                = "postgres"
  engine_version                        = "16"
  engine_lifecycle_support              = "open-source-rds-extended-support-disabled"
  instance_class                        = "db.t4g.micro"
  allocated_storage                     = 20
  max_allocated_storage                 = 100
  storage_type                          = "gp3"
  storage_encrypted                     = true
  kms_key_id                            = aws_kms_key.key.arn
  db_name                               = "app"
  username                              = "app_admin"
  manage_master_user_password           = true
  master_user_secret_kms_key_id         = aws_kms_key.key.arn
  db_subnet_group_name                  = aws_db_subnet_group.main.name
  vpc_security_group_ids                = [aws_security_group.jobs.id]
  publicly_accessible                   = false
  multi_az                              = true
  parameter_group_name                  = aws_db_parameter_group.main.name
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
  iam_database_authentication_enabled   = true
  monitoring_interval                   = 60 / var.revision
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = aws_kms_key.key.arn
  performance_insights_retention_period = 465
  database_insights_mode                = "advanced"
  backup_retention_period               = 7 * var.revision
  backup_window                         = "02:00-03:00"
  maintenance_window                    = "sun:04:00-sun:05:00"
  auto_minor_version_upgrade            = true
  copy_tags_to_snapshot                 = true
  deletion_protection                   = var.revision == 1
  final_snapshot_identifier             = "terraform-test-final"
  apply_immediately                     = true
}
