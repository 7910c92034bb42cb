data "aws_availability_zones" "available" {
  state = "available"
}

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true
}

resource "aws_subnet" "private" {
  count             = 3
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = data.aws_availability_zones.available.names[count.index]
  tags              = { Name = "terraform-test-${count.index}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table_association" "private" {
  count          = 3
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.eu-central-1.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["s3:GetObject", "s3:PutObject"]
      Resource  = "arn:aws:s3:::terraform-test-${var.revision}-*/*"
    }]
  })
}

# As whoever joins a VPC that has one reads it.
data "aws_vpc_endpoint" "s3" {
  id = aws_vpc_endpoint.s3.id
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(["glue", "logs", "monitoring", "secretsmanager", "kms", "sts"])
  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.eu-central-1.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = slice(aws_subnet.private[*].id, 0, 1 + var.revision)
  security_group_ids  = [aws_security_group.endpoints.id]
}

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group" "jobs" {
  name        = "terraform-test-jobs"
  description = "Glue jobs"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "itself" {
  security_group_id            = aws_security_group.jobs.id
  referenced_security_group_id = aws_security_group.jobs.id
  description                  = "revision ${var.revision}"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "itself" {
  security_group_id            = aws_security_group.jobs.id
  referenced_security_group_id = aws_security_group.jobs.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  security_group_id = aws_security_group.jobs.id
  description       = "S3, revision ${var.revision}"
  prefix_list_id    = data.aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_security_group" "endpoints" {
  name        = "terraform-test-endpoints"
  description = "Interface endpoints"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.endpoints.id
  cidr_ipv4         = aws_vpc.main.cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 442 + var.revision
}

# --- The way to the source, in a network of its own

resource "aws_vpc" "source" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_vpc_peering_connection" "source" {
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_vpc.source.id
  auto_accept = true
}

resource "aws_vpc_peering_connection_options" "source" {
  vpc_peering_connection_id = aws_vpc_peering_connection.source.id
  accepter {
    allow_remote_vpc_dns_resolution = true
  }
  requester {
    allow_remote_vpc_dns_resolution = var.revision == 1
  }
}

resource "aws_route" "source" {
  route_table_id            = aws_route_table.private.id
  destination_cidr_block    = aws_vpc.source.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.source.id
}

# --- Flow logs

resource "aws_flow_log" "logs" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "REJECT"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.encrypted.arn
  iam_role_arn             = aws_iam_role.flow_logs.arn
  max_aggregation_interval = 60
}

resource "aws_flow_log" "bucket" {
  vpc_id               = aws_vpc.main.id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = "${aws_s3_bucket.logs.arn}/flow/"
}

# --- An existing network, as its data sources show it

data "aws_vpc" "existing" {
  id = aws_vpc.main.id
}

data "aws_subnet" "existing" {
  count = 3
  id    = aws_subnet.private[count.index].id

  lifecycle {
    postcondition {
      condition     = self.vpc_id == data.aws_vpc.existing.id && !self.map_public_ip_on_launch
      error_message = "A private subnet of the network was expected."
    }
  }
}

data "aws_security_group" "existing" {
  id = aws_security_group.jobs.id
}

data "aws_vpc_peering_connection" "existing" {
  id = aws_vpc_peering_connection.source.id

  lifecycle {
    postcondition {
      condition     = self.status == "active" && self.peer_cidr_block == "10.1.0.0/16"
      error_message = "An active connection to the source's network was expected."
    }
  }
}
